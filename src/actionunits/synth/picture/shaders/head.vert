in int source;
in vec2 uv;
in vec3 rest;
in float occlusion;
uniform sampler2D noise, normals;
out vec2 t;
out vec3 normal;
out vec3 c;
out vec3 q;
out float open_sky;
out float lit_inside;  // of the mouth
out vec4 ambient;  // w: mottle of the skin

void main() {
  t = uv;
  q = rest;
  open_sky = occlusion;
  vec3 p = vertex(source);
  c = to_camera(p);
  lit_inside = cavity(p);
  normal = turn(texelFetch(normals, place_of(source), 0).xyz);
  ambient = vec4(surroundings(normal), (textureLod(noise, uv * 2.3 + .37, 2.).b * 2. - 1.) * place.z);
  gl_Position = project(c, 0.);
}
