in vec3 normal;
in vec3 c;
in float glass;
out vec4 colour;

void main() {
  vec3 n = normalize(normal), v = normalize(vec3(0, 0, fit[0].w) - c);
  if (glass > .5) {  // panes: their tint and what they mirror
    float x = 1. - max(dot(n, v), 0.);
    vec3 mirrored = surroundings(reflect(-v, n)) * (.04 + .96 * x * x * x * x * x);
    for (int i = 0; i < 2; i++)
      mirrored += light_colour[i].rgb * pow(max(dot(n, normalize(light[i].xyz + v)), 0.), 900.) * 3.;
    vec3 seen = tone_map(mirrored * 2.);
    float cover = max(glasses.w, dot(seen, vec3(.333)) * .8);
    colour = vec4(seen, cover);
  } else {
    Material m = Material(glasses.rgb, vec3(.1), 1., .8, 60., .05, .4);
    colour = vec4(shade(m, n, n, c, surroundings(n)), 1.);
  }
}
