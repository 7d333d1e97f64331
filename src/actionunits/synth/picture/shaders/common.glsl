// One head's numbers. `render.py` reads names and order from this block: only vec4 and vec4 arrays.
layout(std140) uniform Head {
  vec4 camera[3];        // rows of the rotation into the camera's frame; w: shift
  vec4 fit[2];           // rows of the similarity onto the template; fit[0].w: camera distance
  vec4 shadow_frame[3];  // rows of the first light's frame
  vec4 light[2];         // directions; light[0].w: strength of the shadow
  vec4 light_colour[2];
  vec4 sky[9];           // spherical harmonics of the surroundings, convolved with the cosine
  vec4 shadow_tile;      // x, y, side; w: softness
  vec4 crease_tile;      // x, y, width, height
  vec4 place;            // first row in `positions`, layer in `skin`, mottle, fine relief
  vec4 tone;             // albedo of the skin; w: exposure
  vec4 lip;              // colour; w: how much of it covers the texture
  vec4 surface;          // specular strength, gloss, extra gloss of lips, depth of creases
  vec4 beard;            // colour; w: density
  vec4 eyeshadow;        // colour; w: strength
  vec4 hair;             // colour; w: height of the fringe above the eyes, in rest space
  vec4 brow;             // colour; w: density
  vec4 lash;             // colour; w: density
  vec4 iris;             // colour; w: pupil's radius as an angle
  vec4 gaze[2];          // direction of the subject's right and left eye in rest space
  vec4 eye[2];           // their centres in rest space
  vec4 proxy_scale[4];   // of hair, lashes, brows, teeth
  vec4 frame_tile;       // x, y of the head's tile in pixels
  vec4 glasses;          // colour of the frame; w: tint of the lenses
  vec4 mouth;            // z of the inner rim of the lips, radius of the opening, 0, 0
  vec4 enamel;           // colour of the teeth
  vec4 whiskers;         // density of the moustache, how far it hangs over the lip, beard on the chin only
  vec4 socket;           // shade of the eyes' sockets, under the eyes; opening of the right and left eye
};
uniform sampler2D positions;

const float PI = 3.14159265;

// pow() of a number below 0, and smoothstep() from a higher edge to a lower, are undefined.
float square(float x) { return x * x; }
float fall(float low, float high, float x) { return 1. - smoothstep(low, high, x); }

ivec2 place_of(int i) { return ivec2(i & 127, int(place.x) + (i >> 7)); }
vec3 vertex(int i) { return texelFetch(positions, place_of(i), 0).xyz; }
vec3 to_camera(vec3 p) {
  return vec3(dot(camera[0].xyz, p) + camera[0].w, dot(camera[1].xyz, p) + camera[1].w,
              dot(camera[2].xyz, p) + camera[2].w);
}
vec3 turn(vec3 n) { return vec3(dot(camera[0].xyz, n), dot(camera[1].xyz, n), dot(camera[2].xyz, n)); }
vec3 bound(ivec3 anchor, vec3 weight, vec3 offset, vec3 scale) {
  return vertex(anchor.x) * weight.x + vertex(anchor.y) * weight.y + vertex(anchor.z) * weight.z
       + offset * scale;
}
// Perspective, then the similarity onto the unit square, y down: the first row read back is the top.
vec4 project(vec3 c, float nearer) {
  float w = (fit[0].w - c.z) / fit[0].w;
  vec2 q = vec2(c.x, -c.y);
  vec2 a = vec2(dot(fit[0].xy, q) + fit[0].z * w, dot(fit[1].xy, q) + fit[1].z * w);
  return vec4(2. * a - w, (-c.z - nearer) / 3. * w, w);
}
// Light that comes in between the lips: what a disc of their opening sends to a point behind it.
float cavity(vec3 p) {
  float behind = max(mouth.x - p.z, 0.), area = mouth.y * mouth.y;
  return area / (area + .6 * behind * behind + 1e-5);
}
vec3 to_shadow(vec3 c) {
  return vec3(dot(shadow_frame[0].xyz, c), dot(shadow_frame[1].xyz, c),
              -dot(shadow_frame[2].xyz, c)) * vec3(1. / 1.9, 1. / 1.9, 1. / 4.);
}
vec3 surroundings(vec3 n) {
  return max(sky[0].rgb + sky[1].rgb * n.y + sky[2].rgb * n.z + sky[3].rgb * n.x
    + sky[4].rgb * (n.x * n.y) + sky[5].rgb * (n.y * n.z) + sky[6].rgb * (3. * n.z * n.z - 1.)
    + sky[7].rgb * (n.x * n.z) + sky[8].rgb * (n.x * n.x - n.y * n.y), 0.);
}
// Hair that would hang over the eyes is cut, unevenly: 0 where cut.
float fringe(vec3 p, float strand) {
  float over_face = fall(.48, .66, abs(p.x)) * smoothstep(.60, .78, p.z);
  float ragged = .32 * (strand - .3) + .05 * sin(p.x * 7. + hair.w * 40.);
  return mix(1., smoothstep(-.06, .20, p.y - hair.w - ragged), over_face);
}
// Film's shoulder, gamma 2, and a little of the contrast that cameras add.
vec3 tone_map(vec3 x) {
  vec3 y = sqrt(clamp(1. - exp(-1.3 * tone.w * x), 0., 1.));
  return mix(y, y * y * (3. - 2. * y), .35);
}
