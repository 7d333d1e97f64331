uniform sampler2D noise;
in vec2 t;
in vec3 normal;
in vec3 c;
in vec3 q;
in float open_sky;
in vec4 ambient;
out vec4 colour;

void main() {
  int side = q.x < 0. ? 0 : 1;
  vec3 e = normalize(q - eye[side].xyz), g = gaze[side].xyz;
  float angle = acos(clamp(dot(e, g), -1., 1.));
  vec3 u = e - g * dot(e, g);
  float fibres = texture(noise, vec2(atan(u.y, u.x) * .8, angle * .7)).b;
  vec3 ring = iris.rgb * (.55 + .9 * fibres) * (.75 + .9 * smoothstep(.2, .45, angle));
  vec3 white = vec3(.50, .455, .435) * (.9 + .1 * texture(noise, q.xy * .9).b)
    - vec3(0, .08, .08) * smoothstep(.7, 1.3, angle);
  vec3 a = mix(vec3(.004), ring, smoothstep(iris.w - .03, iris.w + .03, angle));
  a *= mix(1., .35, smoothstep(.40, .50, angle));
  a = mix(a, white, smoothstep(.47, .55, angle));
  // The upper lid and its lashes shade the ball.
  float occlusion = clamp(1.2 - max(0., e.y + .05), .35, 1.) * clamp(1.35 - angle * .35, .6, 1.);
  float opening = side == 0 ? socket.z : socket.w;
  occlusion *= clamp(.25 + 7.5 * opening, .25, 1.) * (1. - .45 * socket.x);
  vec3 n = normalize(turn(e));
  Material m = Material(a, vec3(.35, .3, .28), occlusion, .9, 220., .04, .6);
  colour = vec4(shade(m, n, n, c, ambient.rgb), 1.);
}
