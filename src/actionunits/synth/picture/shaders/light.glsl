uniform sampler2DShadow shadow;

float hash(vec2 p) {
  vec3 h = fract(vec3(p.xyx) * .1031);
  h += dot(h, h.yzx + 33.33);
  return fract((h.x + h.y) * h.z);
}
const vec2 DISC[4] = vec2[4](vec2(.38, .92), vec2(-.92, .38), vec2(-.38, -.92), vec2(.92, -.38));
// Four bilinear comparisons on a fixed square: no noise from pixel to pixel.
float lit(vec3 c) {
  vec3 l = to_shadow(c) * .5 + .5;
  l.z -= .004;
  l.xy = clamp(l.xy, .03, .97);
  float s = 0.;
  for (int i = 0; i < 4; i++)
    s += texture(shadow, vec3(shadow_tile.xy + (l.xy + DISC[i] * shadow_tile.w) * shadow_tile.z, l.z));
  return s * .25;
}

struct Material {
  vec3 albedo;
  vec3 wrap;        // how far light creeps past the terminator, per channel: cheap scattering
  float occlusion;
  float specular;
  float gloss;
  float reflectance;
  float shadowed;   // how much the shadow map counts
};
// Smooth and detailed normal, camera-space position, diffuse surroundings of the smooth normal.
vec3 shade(Material m, vec3 smooth_normal, vec3 normal, vec3 c, vec3 ambient) {
  vec3 v = normalize(vec3(0, 0, fit[0].w) - c);
  float s = mix(1., lit(c + smooth_normal * .02), light[0].w * m.shadowed);
  vec3 penumbra = vec3(mix(s, sqrt(s), .5), s, s * (.6 + .4 * s));
  vec3 diffuse = ambient * m.occlusion, specular = vec3(0);
  float direct = mix(1., m.occlusion, .55);
  for (int i = 0; i < 2; i++) {
    vec3 l = light[i].xyz, colour = light_colour[i].rgb * (i == 0 ? penumbra : vec3(1));
    float broad = dot(smooth_normal, l), fine = dot(normal, l);
    vec3 facing = vec3(mix(broad, fine, .35), mix(broad, fine, .75), fine);
    vec3 d = clamp((facing + m.wrap) / (1. + m.wrap), 0., 1.);
    diffuse += colour * d * mix(d, vec3(1), .55) * direct;
    vec3 h = normalize(l + v);
    float power = m.gloss * log2(max(dot(normal, h), 1e-4)), x = 1. - max(dot(v, h), 0.);
    float fresnel = m.reflectance + (1. - m.reflectance) * x * x * x * x * x;
    float lobes = exp2(power) * (m.gloss + 8.) + .25 * exp2(power * .35) * (m.gloss * .35 + 8.);
    specular += colour.g * light_colour[i].rgb / max(light_colour[i].g, 1e-4)
      * clamp(fine * 4., 0., 1.) * lobes * fresnel * m.specular * .28 * direct;
  }
  float rim = 1. - max(dot(smooth_normal, v), 0.);
  rim *= rim;
  specular += ambient * ((m.reflectance + .12 * rim * rim) * m.specular * m.occlusion);
  return tone_map(m.albedo * diffuse + specular);
}
