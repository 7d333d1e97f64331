uniform sampler2DArray backgrounds;
uniform int layer;
in vec2 t;
out vec4 colour;

void main() { colour = vec4(texture(backgrounds, vec3(t, layer)).rgb, 1); }
