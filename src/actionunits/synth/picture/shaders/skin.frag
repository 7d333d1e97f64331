uniform sampler2DArray skin;
uniform sampler2D masks, creases, noise;
in vec2 t;
in vec3 normal;
in vec3 c;
in vec3 q;
in float open_sky;
in float lit_inside;
in vec4 ambient;
out vec4 colour;

// Where hair grows, over the rest face: a moustache; a beard on chin, jaw and up to the ears.
vec2 beard_area(vec3 p) {
  float x = abs(p.x), low = mix(6.70, 6.625, whiskers.y);
  float moustache = fall(.20, .42, x) * fall(6.78, 6.87, p.y) * smoothstep(low - .06, low, p.y);
  float edge = mix(6.60, 7.02, smoothstep(.30, .78, x));
  float jaw = fall(edge - .07, edge + .05, p.y) * smoothstep(5.85, 6.05, p.y);
  jaw *= mix(1., fall(.22, .36, x), whiskers.z);
  return vec2(moustache, jaw) * smoothstep(.25, .5, p.z + .3 * x);
}
void main() {
  vec2 mask = texture(masks, t).rg;
  float inside = clamp((mask.g - .3) * 2., 0., 1.), red = mask.r;
  vec3 grain = texture(noise, t * 11.).rgb * 2. - 1.;
  vec3 a = texture(skin, vec3(t, place.y)).rgb;
  a *= a * 2.5 * tone.rgb;
  a *= 1. + vec3(.10, .18, .18) * ambient.w + .05 * grain.b;
  float x = abs(q.x);
  // Blood under thin skin: cheeks, nose tip; shade under the eyes.
  float flush = exp(-18. * ((x - .40) * (x - .40) + (q.y - 6.95) * (q.y - 6.95)))
              + .8 * exp(-40. * (x * x + (q.y - 6.93) * (q.y - 6.93)));
  a *= 1. + flush * vec3(.06, -.07, -.06);
  float orbit = exp(-square((x - .30) / .17) - square((q.y - 7.34) / .075)) * socket.x;
  float below = exp(-square((x - .29) / .12) - square((q.y - 7.185) / .035)) * socket.y;
  a *= 1. - (.55 * orbit + .5 * below) * vec3(.75, 1., .95);
  float lid = exp(-square(square((x - .32) / .15)) - square((q.y - 7.375) / .05));
  a = mix(a, eyeshadow.rgb * (.6 + .4 * a / (a.g + .02)), lid * eyeshadow.w * (1. - inside));
  a = mix(a, lip.rgb * (.8 + .4 * a / (a.g + a.r + .02)), red * lip.w);
  float stubble = 0.;
  if (beard.w + whiskers.x > 0.) {
    vec2 area = beard_area(q) * vec2(whiskers.x * (1. - red * (1. - whiskers.y)), beard.w * (1. - red));
    float strands = texture(noise, vec2(t.x * 67., t.y * 19.)).b - .5, tufts = texture(noise, t * 9.3).b - .5;
    stubble = max(area.x, area.y) * clamp(.64 + .8 * strands + .3 * tufts, 0., 1.);
  }
  a = mix(a, beard.rgb, clamp(stubble, 0., .92));

  float deep = clamp((q.z - 1.) * 2., .03, 1.), occlusion = open_sky * (1. - .45 * orbit);
  a = mix(a, vec3(.20, .035, .035), inside);
  occlusion *= mix(1., deep * lit_inside * .8, inside);
  vec2 where = clamp(vec2((q.x + .9) / 1.8, (q.y - 6.) / 2.4), .012, .988);
  vec3 crease = texture(creases, crease_tile.xy + where * crease_tile.zw).rgb
    * ((1. - red) * clamp((q.z - .5) * 8., 0., 1.));
  crease.xy /= 1. + .6 * length(crease.xy);  // where lines cross they are no deeper
  float groove = crease.z / (1.2 + crease.z);
  a *= 1. - groove * surface.w * vec3(.85, 1., .98);
  occlusion *= 1. - .5 * groove * min(1., 2. * surface.w);

  vec3 folded = turn(vec3(crease.xy * (.35 + 1.3 * place.w), 0));
  vec3 broad = normalize(normal + .6 * folded);
  vec3 fine = normalize(normal + folded + turn(vec3(grain.xy * ((.03 + .13 * place.w) * (1. - inside)), 0)));
  Material m = Material(a, vec3(.42, .20, .13), occlusion,
    (surface.x * (1. - .6 * groove) * (1. - .5 * stubble) + red * surface.z) * (1. - inside * .5)
      * (1. + .3 * grain.b),
    surface.y * (1. + red * 1.5), .03, 1.);
  colour = vec4(shade(m, broad, fine, c, ambient.rgb), 1.);
}
