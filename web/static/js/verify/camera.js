// The camera: codes are detected by the browser if it can, else by the service, picture by picture.
import { Problem, call } from "../api.js";

const FRAME_WIDTH_PX = 960;
const QUALITY = 0.8;
const PAUSE_MS = 150;
const PAUSE_AFTER_FAILURE_MS = 1500;
const FOR_MS_MAX = 120_000;
const CODES_MAX = 50;
const PICTURES_WITHOUT = 10;

/**
 * Calls `onFound(texts)` with the texts of all codes in a picture, which returns whether it takes one.
 * Calls `onState(state)` with "on", "off", "none" (no camera), "ended" (nothing found in time) or "other"
 * (the picture has codes that are not taken), and `onFailed(problem)` if the service can't read pictures.
 */
export class Camera {
  constructor({ token, video, onFound, onState, onFailed }) {
    Object.assign(this, { token, video, onFound, onState, onFailed });
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
      return this.stop("none");
    }
    this.isOn = true;
    this.without = 0;
    this.onState("on");
    this.native = await detector();
    return this.scan(turn);
  }

  stop(why = "off") {
    this.turn += 1;
    if (this.stream) stopAll(this.stream);
    this.stream = null;
    this.video.srcObject = null;
    this.isOn = false;
    this.onState(why);
  }

  async scan(turn) {
    const until = performance.now() + FOR_MS_MAX;
    while (turn === this.turn && performance.now() < until) {
      const pause_ms = await this.scanOnce(turn);
      await new Promise((resolve) => setTimeout(resolve, pause_ms));
    }
    if (turn === this.turn) this.stop("ended");
  }

  async scanOnce(turn) {
    try {
      const { texts, isOther } = this.native ? await this.readHere() : await this.readThere();
      if (turn === this.turn && !this.onFound(texts)) this.notFound(isOther);
    } catch (error) {
      if (this.native) this.native = null; // some browsers have a detector that does not work
      else if (error instanceof Problem && turn === this.turn) this.onFailed(error);
      return PAUSE_AFTER_FAILURE_MS;
    }
    return PAUSE_MS;
  }

  /** Keeps the state "other" for some pictures, in which the other code may just be blurred. */
  notFound(isOther) {
    this.without = isOther ? 0 : this.without + 1;
    if (isOther) this.onState("other");
    else if (this.without === PICTURES_WITHOUT) this.onState("on");
  }

  async readHere() {
    const codes = await this.native.detect(this.video);
    return { texts: codes.slice(0, CODES_MAX).map((code) => code.rawValue), isOther: codes.length > 0 };
  }

  async readThere() {
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth) return { texts: [], isOther: false };
    const scale = Math.min(1, FRAME_WIDTH_PX / videoWidth);
    const canvas = new OffscreenCanvas(Math.round(videoWidth * scale), Math.round(videoHeight * scale));
    canvas.getContext("2d").drawImage(this.video, 0, 0, canvas.width, canvas.height);
    const body = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
    const answer = await call("POST", "/v1/verifications/frames", { token: this.token, body });
    return { texts: answer.text === null ? [] : [answer.text], isOther: answer.other_code ?? false };
  }
}

const stopAll = (stream) => stream.getTracks().forEach((track) => track.stop());

async function detector() {
  if (!("BarcodeDetector" in globalThis)) return null;
  const formats = await BarcodeDetector.getSupportedFormats().catch(() => []);
  return formats.includes("qr_code") ? new BarcodeDetector({ formats }) : null;
}
