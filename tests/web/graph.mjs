// As much of litegraph as graph.mjs reads.
export class Graph {
  constructor() {
    this._nodes = [];
    this.links = new Map();
    this.outputs = [];
  }

  add(type, { widgets = {}, inputs = [], outputs = [], ...more } = {}) {
    const node = {
      id: this._nodes.length + 1,
      type,
      comfyClass: type,
      graph: this,
      widgets: Object.entries(widgets).map(([name, value]) => ({ name, value })),
      inputs: inputs.map((input) => ({ link: null, ...input })),
      outputs: outputs.map((kind) => ({ type: kind, links: [] })),
      ...more,
    };
    this._nodes.push(node);
    return node;
  }

  link(from, slot, to, input) {
    const id = this.links.size + 1;
    this.links.set(id, { origin_id: from?.id ?? -10, origin_slot: slot, target_id: to.id });
    from?.outputs[slot].links.push(id);
    to.inputs[input].link = id;
    return id;
  }

  getNodeById(id) {
    return this._nodes.find((node) => node.id === id);
  }
}

export const MODEL = { name: "model", type: "MODEL" };
