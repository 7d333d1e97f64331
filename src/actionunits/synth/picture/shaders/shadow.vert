in int source;
void main() { gl_Position = vec4(to_shadow(to_camera(vertex(source))), 1); }
