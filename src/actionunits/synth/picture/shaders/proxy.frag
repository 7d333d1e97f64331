uniform sampler2D card;
uniform int kind;
in vec2 t;
in vec3 q;
in vec3 diffuse;
in vec3 shine;
out vec4 colour;

void main() {
  vec4 k = texture(card, t);
  float alpha = k.a, bright = dot(k.rgb, vec3(.333)), g = hash(gl_FragCoord.xy - frame_tile.xy), gleam = 0.;
  vec3 a, e = diffuse * .8;
  if (kind == 0) {  // alpha to coverage: a little noise hides its few steps
    alpha = clamp((alpha * fringe(q, bright) - .25) * 1.7, 0., 1.);
    if (alpha < .06) discard;
    alpha = clamp(alpha + (g - .5) * .25 * min(1., 4. * alpha * (1. - alpha)), 0., 1.);
    a = hair.rgb * (bright * bright * 2.2);
    e = diffuse * (.5 + .5 * clamp(bright * 2., 0., 1.));
    gleam = .10 * (.8 + .4 * g);
  } else {
    alpha *= kind == 1 ? lash.w : brow.w;
    if (alpha < .02) discard;
    a = kind == 1 ? lash.rgb : brow.rgb * (.5 + .8 * bright);
    gleam = kind == 1 ? 0. : .015;
  }
  colour = vec4(tone_map(a * e + shine * (gleam * (.15 + bright * 1.3))), alpha);
}
