// The camera: decoded by the browser where it can, else picture by picture by the service.
import { call } from "../api.js";

const FRAME_WIDTH_PX = 960;
const QUALITY = 0.8;
const PAUSE_MS = 150;
const PAUSE_AFTER_FAILURE_MS = 1500;
const FOR_MS_MAX = 120_000;

export class Camera {
  constructor({ token, video, found, told }) {
    Object.assign(this, { token, video, found, told });
    this.isOn = false;
    this.turn = 0;
  }

  async start() {
    const wanted = { video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 } }, audio: false };
    this.turn += 1;
    const turn = this.turn;
    try {
      const stream = await navigator.mediaDevices.getUserMedia(wanted);
      if (turn !== this.turn) return stopAll(stream);
      this.stream = stream;
      this.video.srcObject = stream;
      await this.video.play();
    } catch {
      this.stop();
      return this.told("none");
    }
    this.isOn = true;
    this.told("on");
    return this.look(turn, await detector());
  }

  stop() {
    this.turn += 1;
    if (this.stream) stopAll(this.stream);
    this.stream = null;
    this.video.srcObject = null;
    this.isOn = false;
    this.told("off");
  }

  async look(turn, native) {
    const until = performance.now() + FOR_MS_MAX;
    while (turn === this.turn && performance.now() < until) {
      let pause_ms = PAUSE_MS;
      try {
        const value = native ? await this.readHere(native) : await this.readThere();
        if (turn === this.turn && value && this.found(value)) return;
      } catch {
        pause_ms = PAUSE_AFTER_FAILURE_MS;
      }
      await new Promise((resolve) => setTimeout(resolve, pause_ms));
    }
    if (turn === this.turn) this.stop();
  }

  async readHere(native) {
    const [code] = await native.detect(this.video);
    return code?.rawValue;
  }

  async readThere() {
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth) return null;
    const scale = Math.min(1, FRAME_WIDTH_PX / videoWidth);
    const canvas = new OffscreenCanvas(Math.round(videoWidth * scale), Math.round(videoHeight * scale));
    canvas.getContext("2d").drawImage(this.video, 0, 0, canvas.width, canvas.height);
    const body = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
    return (await call("POST", "/v1/verifications/frames", { token: this.token, body })).text;
  }
}

const stopAll = (stream) => stream.getTracks().forEach((track) => track.stop());

async function detector() {
  if (!("BarcodeDetector" in globalThis)) return null;
  const formats = await BarcodeDetector.getSupportedFormats().catch(() => []);
  return formats.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : null;
}
