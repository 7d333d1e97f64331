in vec3 normal;
in vec3 c;
in float tooth;
in float deep;
in vec3 ambient;
out vec4 colour;

void main() {
  vec3 n = normalize(normal);
  vec3 a = mix(vec3(.42, .14, .13), enamel.rgb, smoothstep(.3, .7, tooth));
  Material m = Material(a * pow(vec3(deep), vec3(.85, 1.1, 1.2)), vec3(.6, .5, .45), .85 * deep, .3 * deep, 50., .03, .5);
  colour = vec4(shade(m, n, n, c, ambient), 1.);
}
