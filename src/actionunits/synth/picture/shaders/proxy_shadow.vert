in ivec3 anchor;
in vec3 weight;
in vec3 offset;
in vec2 uv;
out vec2 t;
out vec3 q;

void main() {
  t = uv;
  q = bound(anchor, weight, offset, proxy_scale[0].xyz);
  gl_Position = vec4(to_shadow(to_camera(q)), 1);
}
