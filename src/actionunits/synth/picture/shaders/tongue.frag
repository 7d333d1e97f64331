in vec2 t;
in vec3 normal;
in vec3 c;
in vec3 q;
in float open_sky;
in float lit_inside;
in vec4 ambient;
out vec4 colour;

void main() {
  float deep = clamp((q.z - .7) / .55, .05, 1.) * lit_inside;
  vec3 n = normalize(normal);
  Material m = Material(vec3(.36, .11, .10) * deep, vec3(.5, .3, .3), .7 * deep, .25 * deep, 30., .03, .5);
  colour = vec4(shade(m, n, n, c, ambient.rgb), 1.);
}
