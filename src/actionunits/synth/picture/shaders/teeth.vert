in ivec3 anchor;
in vec3 weight;
in vec3 offset;
in vec3 facing;
in vec3 rest;
in float hard;  // 1 tooth, 0 gum
out vec3 normal;
out vec3 c;
out float tooth;
out float deep;
out vec3 ambient;

void main() {
  vec3 p = bound(anchor, weight, offset, proxy_scale[3].xyz);
  c = to_camera(p);
  normal = turn(facing);
  tooth = hard;
  deep = clamp((rest.z - .9) / .45, .05, 1.) * cavity(p);
  ambient = surroundings(normal);
  gl_Position = project(c, 0.);
}
