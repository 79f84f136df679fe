// Maps with a slider over frames and a choice of field. What is drawn is in the JSON beside each; see frames.py.
"use strict";

const BAR = 90, SIDE = document.querySelectorAll(".map").length > 1 ? 400 : 560;    // of scale and map, in pixels of the page

function bytes(text) {
  const raw = atob(text), found = new Uint8Array(raw.length);
  for (let k = 0; k < raw.length; k++) found[k] = raw.charCodeAt(k);
  return found;
}

// A frame whose text is empty is the same as the one before.
function frameOf(list, k) {
  while (k > 0 && list[k] === "") k--;
  return bytes(list[k]);
}

function palette(hex) {
  const colors = ["#dddddd"];
  for (let k = 0; k < hex.length; k += 6) colors.push("#" + hex.slice(k, k + 6));
  return colors;
}

class GlassMap {
  constructor(place, data) {
    this.data = data;
    this.canvas = place.querySelector("canvas");
    this.slider = place.querySelector("input");
    this.choice = place.querySelector("select");
    this.told = place.querySelector("output");
    this.button = place.querySelector("button");
    data.fields.forEach((field, k) => this.choice.append(new Option(field.name, k)));
    this.slider.max = data.frames.length - 1;
    this.slider.value = this.slider.max;
    this.button.hidden = this.slider.hidden = data.frames.length < 2;
    this.choice.hidden = data.fields.length < 2;
    this.slider.addEventListener("input", () => this.draw());
    this.choice.addEventListener("change", () => this.draw());
    this.button.addEventListener("click", () => this.play());
    this.size(place);
    this.draw();
  }

  size(place) {
    const [x0, y0, x1, y1] = this.data.limits, ratio = window.devicePixelRatio || 1;
    this.scale = SIDE / Math.max(x1 - x0, y1 - y0);
    this.width = (x1 - x0) * this.scale;
    this.height = (y1 - y0) * this.scale;
    this.canvas.width = (this.width + BAR) * ratio;
    this.canvas.height = this.height * ratio;
    this.canvas.style.width = this.width + BAR + "px";
    this.canvas.style.height = this.height + "px";
    place.style.width = this.canvas.style.width;
    this.pen = this.canvas.getContext("2d");
    this.pen.scale(ratio, ratio);
  }

  play() {
    if (this.timer) { clearInterval(this.timer); this.timer = null; this.button.textContent = "play"; return; }
    this.button.textContent = "stop";
    this.timer = setInterval(() => {
      this.slider.value = (Number(this.slider.value) + 1) % this.data.frames.length;
      this.draw();
    }, 150);
  }

  draw() {
    const k = Number(this.slider.value), field = this.data.fields[Number(this.choice.value) || 0], frame = this.data.frames[k];
    const values = frameOf(field.values, k), colors = palette(field.colors);
    this.pen.clearRect(0, 0, this.width + BAR, this.height);
    if (this.data.kind === "discs") this.discs(k, frame, values, colors);
    else this.pixels(values, colors);
    this.outlines(frame);
    this.bar(field, colors);
    this.told.textContent = `frame ${k + 1} of ${this.data.frames.length}: ${frame.label}`;
  }

  discs(k, frame, values, colors) {
    const raw = frameOf(this.data.position, k), place = new Uint16Array(raw.buffer), size = frameOf(this.data.diameter, k);
    const unit = this.data.largest * this.scale / 510;
    for (let i = 0; i < frame.count; i++) {
      this.pen.beginPath();
      this.pen.arc(place[2 * i] / 65535 * this.width, this.height - place[2 * i + 1] / 65535 * this.height, size[i] * unit, 0, 7);
      this.pen.fillStyle = colors[values[i]];
      this.pen.fill();
    }
  }

  pixels(values, colors) {
    const [across, down] = this.data.shape, small = document.createElement("canvas");
    small.width = across;
    small.height = down;
    const pen = small.getContext("2d"), image = pen.createImageData(across, down);
    for (let y = 0; y < down; y++) for (let x = 0; x < across; x++) {
      const color = parseInt(colors[values[y * across + x]].slice(1), 16), at = 4 * ((down - 1 - y) * across + x);
      image.data.set([color >> 16, color >> 8 & 255, color & 255, values[y * across + x] ? 255 : 0], at);
    }
    pen.putImageData(image, 0, 0);
    this.pen.imageSmoothingEnabled = false;
    this.pen.drawImage(small, 0, 0, this.width, this.height);
  }

  outlines(frame) {
    const [x0, y0] = this.data.limits;
    this.pen.strokeStyle = "#000";
    this.pen.lineWidth = 1;
    for (const line of frame.outlines) {
      this.pen.beginPath();
      for (let k = 0; k < line.length; k += 2) this.pen.lineTo((line[k] - x0) * this.scale, this.height - (line[k + 1] - y0) * this.scale);
      this.pen.stroke();
    }
  }

  bar(field, colors) {
    const left = this.width + 14, top = 12, height = this.height - 24, count = colors.length - 1;
    for (let k = 0; k < count; k++) {
      this.pen.fillStyle = colors[k + 1];
      this.pen.fillRect(left, top + height * (1 - (k + 1) / count), 14, height / count + 1);
    }
    this.pen.fillStyle = "#222";
    this.pen.font = "12px sans-serif";
    this.pen.textBaseline = "middle";
    for (const [at, text] of field.ticks) this.pen.fillText(text, left + 19, top + height * (1 - at));
  }
}

document.querySelectorAll(".map").forEach(place => new GlassMap(place, JSON.parse(document.getElementById(place.dataset.map).textContent)));
