out vec2 t;

void main() {
  t = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
  gl_Position = vec4(t * 2. - 1., .9999, 1);
}
