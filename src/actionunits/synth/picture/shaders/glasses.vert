in vec3 point;
in vec3 facing;
in float pane;
out vec3 normal;
out vec3 c;
out float glass;

void main() {
  c = to_camera(point);
  normal = turn(facing);
  glass = pane;
  gl_Position = project(c, 0.);
}
