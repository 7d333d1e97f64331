// Browsers run no worker from a file that lies on the disk; the search then runs in a hidden frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      this.waiting = [];
      const begin = () => {
        document.body.append(frame);
        this.inside = frame.contentWindow;
        this.inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }));
        const script = frame.contentDocument.createElement("script");
        script.src = new URL(url, location.href).href;
        script.onload = () => {
          this.ready = true;
          this.waiting.splice(0).forEach(data => this.postMessage(data));
        };
        frame.contentDocument.head.append(script);
      };
      document.body ? begin() : addEventListener("DOMContentLoaded", begin);
    }

    postMessage(data) {
      if (this.ready) this.inside.dispatchEvent(new MessageEvent("message", { data }));
      else this.waiting.push(data);
    }
  };
}
