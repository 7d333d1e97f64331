uniform sampler2D card;
in vec2 t;
in vec3 q;

void main() {
  vec4 k = texture(card, t);
  if (k.a * fringe(q, dot(k.rgb, vec3(.333))) < .5) discard;
}
