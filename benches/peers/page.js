// One page is one peer of a call. The driver calls `peer.*`.
//
// The picture carries the time at which it was drawn, as blocks at its top left: 24 bits, 12 a row, each width/32 by
// height/18, white is 1, the lowest bit first: 4 check bits, then 20 bits of milliseconds. The sound is a burst of
// 1 kHz, 40 ms long, at each whole second.
'use strict';

const BITS = 24, PER_ROW = 12, TURN = 2 ** 20;
const checked = (ms) => ((ms ^ (ms >> 4) ^ (ms >> 8) ^ (ms >> 12) ^ (ms >> 16)) & 15) ^ 9;

// Date.now() in fractions: the moment at which it changes, seen from the page's own clock.
let ahead = Infinity;
function setClock() {
  for (let n = 0; n < 30; n++) {
    const before = Date.now();
    let after = before;
    while (after === before) after = Date.now();
    ahead = Math.min(ahead, after - performance.now());
  }
}
const now = () => performance.now() + ahead;

class Card {
  constructor(width, height) {
    this.canvas = new OffscreenCanvas(width, height);
    this.ink = this.canvas.getContext('2d', { alpha: false });
    this.back = new OffscreenCanvas(width, height);
    const ink = this.back.getContext('2d', { alpha: false });
    const shade = ink.createLinearGradient(0, 0, width, height);
    shade.addColorStop(0, '#246'); shade.addColorStop(1, '#a74');
    ink.fillStyle = shade; ink.fillRect(0, 0, width, height);
    let seed = 7;
    for (let n = 0; n < 600; n++) {
      seed = (seed * 48271) % 2147483647; const x = seed % width;
      seed = (seed * 48271) % 2147483647; const y = seed % height;
      ink.fillStyle = `hsla(${seed % 360}, 40%, 50%, 0.35)`;
      ink.fillRect(x, y, 4 + (seed % 23), 3 + (seed % 17));
    }
  }

  draw(time) {
    const { ink, canvas: { width, height } } = this, t = time / 1000;
    ink.drawImage(this.back, 0, 0);
    ink.fillStyle = '#e8b890';
    ink.beginPath();
    ink.ellipse(width * (0.5 + 0.2 * Math.sin(t)), height * (0.55 + 0.1 * Math.cos(1.3 * t)), width * 0.14, height * 0.3, 0, 0, 7);
    ink.fill();
    ink.fillStyle = '#234';
    ink.fillRect((width * (t % 4)) / 4, height * 0.9, width / 20, height / 20);
    const ms = Math.floor(time) % TURN, word = ms * 16 + checked(ms), w = width / 32, h = height / 18;
    for (let bit = 0; bit < BITS; bit++) {
      ink.fillStyle = Math.floor(word / 2 ** bit) % 2 ? '#fff' : '#000';
      ink.fillRect((bit % PER_ROW) * w, Math.floor(bit / PER_ROW) * h, w, h);
    }
    return this.canvas;
  }
}

// The time in a decoded picture, null when its check fails. Only the rows with blocks are copied.
async function readTime(frame) {
  const width = frame.codedWidth, w = frame.visibleRect.width / 32, h = frame.visibleRect.height / 18;
  const rows = Math.ceil((2 * h) / 2) * 2;
  const bytes = new Uint8Array(frame.allocationSize({ rect: { x: 0, y: 0, width, height: rows } }));
  const [luma] = await frame.copyTo(bytes, { rect: { x: 0, y: 0, width, height: rows } });
  let word = 0;
  for (let bit = 0; bit < BITS; bit++) {
    const x = Math.floor(((bit % PER_ROW) + 0.5) * w), y = Math.floor((Math.floor(bit / PER_ROW) + 0.5) * h);
    if (bytes[luma.offset + y * luma.stride + x] > 126) word += 2 ** bit;
  }
  const ms = Math.floor(word / 16);
  return checked(ms) === word % 16 ? ms : null;
}

const SOUND = `
registerProcessor('beat', class extends AudioWorkletProcessor {
  constructor() { super(); this.second = Math.floor(Date.now() / 1000); this.left = 0; this.angle = 0; }
  process(_, [[out]]) {
    const second = Math.floor(Date.now() / 1000);
    if (second > this.second) { this.second = second; this.left = sampleRate / 25; this.port.postMessage(Date.now()); }
    for (let i = 0; i < out.length; i++) {
      out[i] = this.left > 0 ? 0.5 * Math.sin((this.angle += (2000 * Math.PI) / sampleRate)) : 0.001 * (Math.random() - 0.5);
      this.left--;
    }
    return true;
  }
});
registerProcessor('ear', class extends AudioWorkletProcessor {
  constructor() { super(); this.still = 0; }
  process([[heard]]) {
    for (let i = 0; heard && i < heard.length; i++) {
      if (Math.abs(heard[i]) < 0.15) { this.still++; continue; }
      if (this.still > sampleRate / 3) this.port.postMessage(Date.now() + (1000 * i) / sampleRate);
      this.still = 0;
    }
    return true;
  }
});`;

window.peer = {
  delays: [], beats: [], sent: [], measuring: false,

  async start({ width, height, sends }) {
    setClock();
    this.connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    const audio = this.audio = new AudioContext({ sampleRate: 48000 });
    await audio.resume();
    await audio.audioWorklet.addModule(URL.createObjectURL(new Blob([SOUND], { type: 'text/javascript' })));
    const beat = new AudioWorkletNode(audio, 'beat', { numberOfInputs: 0, outputChannelCount: [1] });
    beat.port.onmessage = ({ data }) => this.sent.push(data % 1000);
    const mouth = audio.createMediaStreamDestination();
    beat.connect(mouth);
    this.connection.addTrack(mouth.stream.getAudioTracks()[0], mouth.stream);
    if (sends && width) {
      const track = new MediaStreamTrackGenerator({ kind: 'video' }), writer = track.writable.getWriter();
      const card = new Card(width, height);
      let due = performance.now();
      const next = () => {
        const frame = new VideoFrame(card.draw(now()), { timestamp: performance.now() * 1000, alpha: 'discard' });
        writer.write(frame);
        due = Math.max(due + 1000 / 30, performance.now() - 200);
        setTimeout(next, Math.max(0, due - performance.now()));
      };
      next();
      track.contentHint = 'motion';
      this.connection.addTrack(track, mouth.stream);
    }
    this.connection.ontrack = ({ track }) => (track.kind === 'video' ? this.watch(track) : this.listen(track));
  },

  async watch(track) {
    // Behind the jitter buffer and the decoder, before any renderer.
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done) return;
      const seen = now();
      const sent = await readTime(frame).catch(() => null);
      frame.close();
      if (sent !== null && this.measuring) this.delays.push(((seen % TURN) - sent + TURN) % TURN);
    }
  },

  listen(track) {
    // A remote track only runs while an element plays it.
    const element = new Audio();
    element.muted = true;
    element.srcObject = new MediaStream([track]);
    element.play().catch(() => {});
    const ear = new AudioWorkletNode(this.audio, 'ear', { numberOfOutputs: 0 });
    this.audio.createMediaStreamSource(new MediaStream([track])).connect(ear);
    ear.port.onmessage = ({ data }) => { if (this.measuring) this.beats.push(data % 1000); };
  },

  async describe(kind) {
    const { connection } = this;
    await connection.setLocalDescription(await (kind === 'offer' ? connection.createOffer() : connection.createAnswer()));
    while (connection.iceGatheringState !== 'complete') await new Promise((go) => setTimeout(go, 20));
    return connection.localDescription.sdp;
  },

  accept(kind, sdp) {
    return this.connection.setRemoteDescription({ type: kind, sdp });
  },

  async read() {
    const figures = {};
    for (const [, report] of await this.connection.getStats()) {
      if (report.type === 'inbound-rtp') figures[report.kind] = report;
    }
    return JSON.parse(JSON.stringify(figures));
  },

  async measure(seconds) {
    const before = await this.read();
    Object.assign(this, { delays: [], beats: [], sent: [], measuring: true });
    await new Promise((go) => setTimeout(go, seconds * 1000));
    this.measuring = false;
    return { before, after: await this.read(), delays: this.delays, beats: this.beats, sent: this.sent };
  },
};
