in vec2 point;
in float across;
in float amplitude;
in vec2 direction;
out float x;
out float strength;
out vec2 side;

void main() {
  x = across * 2.2;
  strength = amplitude;
  side = direction;
  gl_Position = vec4(point.x / .9, (point.y - 7.2) / 1.2, 0, 1);
}
