"""How the page looks, and what it does in the browser by itself."""

CSS = """
.gradio-container { max-width: 1400px !important; margin: 0 auto !important; }
.au-head h1 { margin: 0; font-size: 1.5rem; }
.au-head p, .au-note, figcaption { opacity: .75; margin: .25rem 0; font-size: .85rem; }
.au-said, .au-wrong { border-left: 4px solid #0072b2; padding: .5rem .75rem;
  overflow-wrap: anywhere; background: var(--background-fill-secondary); }
.au-wrong { border-color: #d55e00; }
#au-status { min-height: 4.5rem; }
#au-bars, #au-live-bars { overflow-x: auto; }
.au-said ul, .au-wrong ul { margin: .25rem 0 0 1rem; padding: 0; list-style: disc; }
video, .au-still img { width: 100%; height: auto; max-height: 60vh; object-fit: contain;
  border-radius: 4px; }
video { background: #000; }
.au-grid { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 1rem;
  align-items: start; }
.au-still, .au-attention { margin: 0; }
.au-attention { overflow-x: auto; }
.au-attention img { max-width: none; max-height: 480px; background: #fff; }
.au-files { list-style: none; padding: 0; margin: 0; }
.au-files a { text-decoration: underline; }
.au-bars, .au-events { border-collapse: collapse; width: 100%; font-size: .8rem; }
.au-bars th, .au-bars td, .au-events th, .au-events td { border: 0; padding: 1px 6px; }
.au-bars thead th { text-align: left; border-bottom: 3px solid var(--colour, transparent);
  overflow-wrap: anywhere; }
.au-bars tbody th { text-align: left; font-weight: normal; white-space: nowrap; }
.au-bars tbody th span, .au-lane i { opacity: .75; font-style: normal; }
.au-bars td { min-width: 4.5rem; opacity: .6; }
.au-bars td div { display: flex; align-items: center; gap: .4rem; }
.au-bars td i { flex: 1; height: .75rem; background: linear-gradient(var(--colour), var(--colour))
    0 0 / calc(100% * var(--share)) 100% no-repeat, var(--border-color-primary); }
.au-bars td b { width: 2.4rem; text-align: right; font-weight: normal; }
.au-bars td.au-occurs { opacity: 1; }
.au-bars td.au-occurs b { font-weight: bold; }
.au-events td, .au-events th { text-align: left; border-bottom: 1px solid
  var(--border-color-primary); }
.au-events button { text-decoration: underline; cursor: pointer; }
.au-lane { display: grid; grid-template-columns: 11rem minmax(0, 1fr); align-items: center;
  font-size: .8rem; margin: 2px 0; }
.au-lane > span { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.au-track, .au-ticks { position: relative; height: 34px; }
.au-track { background: var(--background-fill-secondary); cursor: pointer; }
.au-track::after { content: ""; position: absolute; top: 0; bottom: 0; width: 1px;
  left: calc(100% * var(--at, 0)); background: var(--body-text-color); pointer-events: none; }
.au-track svg { width: 100%; height: 100%; display: block; }
.au-track path { fill: none; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.au-track rect { opacity: .15; }
.au-peak { position: absolute; width: 14px; height: 14px; margin: -7px; padding: 0;
  border-radius: 50%; border: 2px solid var(--background-fill-primary); cursor: pointer; }
.au-peak:hover, .au-peak:focus-visible { transform: scale(1.4); z-index: 1; }
.au-ticks { height: 1.2rem; }
.au-ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.au-ticks span:first-child { transform: none; }
.au-timeline summary { cursor: pointer; font-size: .85rem; margin: .4rem 0; }
@media (max-width: 700px) {
  .au-grid { grid-template-columns: minmax(0, 1fr); }
  .au-lane { grid-template-columns: 3.2rem minmax(0, 1fr); }
  .au-lane i { display: none; }
  .au-bars tbody th { white-space: normal; }
}
"""

TIMELINE = """
const video = () => document.querySelector('#au-player video');
const place = (seconds) => {
  const line = element.querySelector('.au-timeline');
  if (line) line.style.setProperty('--at', Math.min(seconds / line.dataset.length, 1));
};
element.addEventListener('click', (event) => {
  const timed = event.target.closest('[data-seconds]');
  const track = event.target.closest('.au-track');
  if (!timed && !track) return;
  const length = Number(element.querySelector('.au-timeline').dataset.length);
  const edge = track && track.getBoundingClientRect();
  const seconds = timed ? Number(timed.dataset.seconds)
    : length * (event.clientX - edge.left) / edge.width;
  const player = video();
  if (player) {
    if (!player.paused) { player.dataset.quiet = '1'; player.pause(); }
    player.currentTime = seconds + 0.001;
  }
  place(seconds);
  trigger('select', {seconds: seconds});
});
document.addEventListener('timeupdate', (event) => {
  if (event.target === video()) place(event.target.currentTime);
}, true);
"""
"""A click on a lane, a peak or a time seeks the video and asks for the frame; a line is where it
is."""

PLAYER = """
element.addEventListener('pause', (event) => {
  const player = event.target;
  if (player.dataset.quiet) { delete player.dataset.quiet; return; }
  trigger('select', {seconds: player.currentTime});
}, true);
element.addEventListener('error', () => {
  const note = element.querySelector('.au-note');
  if (note) note.hidden = false;
}, true);
"""
"""Where the video is stopped its frame is shown."""
