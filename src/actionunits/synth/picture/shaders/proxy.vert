in ivec3 anchor;
in vec3 weight;
in vec3 offset;
in vec3 facing;
in vec2 uv;
uniform int kind;  // 0 hair, 1 lashes, 2 brows
uniform sampler2DShadow shadow;
out vec2 t;
out vec3 q;
out vec3 diffuse;
out vec3 shine;

void main() {
  vec3 p = bound(anchor, weight, offset, proxy_scale[kind].xyz), c = to_camera(p);
  vec3 n = turn(facing), v = normalize(vec3(0, 0, fit[0].w) - c);
  if (dot(n, v) < 0.) n = -n;
  t = uv;
  q = p;
  vec3 l = to_shadow(c + n * .03) * .5 + .5;
  l.xy = clamp(l.xy, .02, .98);
  float s = textureLod(shadow, vec3(shadow_tile.xy + l.xy * shadow_tile.z, l.z - .006), 0.);
  s = mix(1., s, light[0].w);
  diffuse = surroundings(n);
  shine = vec3(0);
  vec3 strand = normalize(vec3(n.z * .2, 1, -n.y));
  for (int i = 0; i < 2; i++) {
    vec3 colour = light_colour[i].rgb * (i == 0 ? s : 1.);
    float facing_light = dot(n, light[i].xyz), d = dot(normalize(light[i].xyz + v), strand);
    diffuse += colour * clamp((facing_light + .35) / 1.35, 0., 1.);
    shine += colour * clamp(facing_light + .3, 0., 1.) * pow(max(1. - d * d, 0.), 14.);
  }
  gl_Position = project(c, kind == 2 ? .04 : kind == 1 ? .02 : 0.);
}
