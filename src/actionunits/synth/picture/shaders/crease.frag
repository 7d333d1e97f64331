in float x;
in float strength;
in vec2 side;
out vec4 colour;

// A Gaussian groove between two soft ridges: slope across the line, and depth.
void main() {
  float groove = exp(-x * x), y = abs(x) - 1.55, ridge = exp(-y * y * 3.);
  float slope = 2. * x * groove - 2.4 * y * ridge * sign(x);
  float a = strength * (1. - smoothstep(1.9, 2.2, abs(x)));
  colour = vec4(-slope * a * side, groove * a, 1);
}
