// The call trees behind the flame graph: one thread, all beside each other, or merged by function.
"use strict";
/**
 * @typedef {{name: string, place: string, kind: string, calls: number, total: number, own: number,
 *   parent: Frame | null, children: Frame[]}} Frame
 */
const Frames = (() => {
  /** @param {Partial<Frame>} values @param {Frame | null} parent @returns {Frame} */
  function frame(values, parent) {
    const made = { name: "", place: "", kind: "thread", calls: 0, total: 0, own: 0, parent, children: [], ...values };
    parent?.children.push(made);
    return made;
  }

  /** Rebuild the tree of a thread from its columns. @param {any} data @param {number} number @param {Frame | null} parent */
  function thread(data, number, parent) {
    const columns = data.trees[number];
    const root = frame({ name: data.threads[number] }, parent);
    const path = [root];
    for (let index = 0; index < columns.total.length; index++) {
      const [name, place, kind] = data.functions[columns.function[index]];
      const depth = columns.depth[index];
      path.length = depth + 1;
      const values = { name, place, kind, calls: columns.calls[index], total: columns.total[index], own: columns.own[index] };
      path[depth + 1] = frame(values, path[depth]);
    }
    root.total = root.children.reduce((sum, child) => sum + child.total, 0);
    return root;
  }

  /** @param {any} data @returns {Frame} */
  function beside(data) {
    const root = frame({ name: `all ${data.all}` }, null);
    for (let number = 0; number < data.trees.length; number++) root.total += thread(data, number, root).total;
    return root;
  }

  /** Add frames of the same function and callers up over all threads. @param {any} data @returns {Frame} */
  function merged(data) {
    const root = frame({ name: `all ${data.all}, merged` }, null);
    const todo = /** @type {[Frame[], Frame][]} */ ([[data.trees.map((/** @type {unknown} */ _tree, /** @type {number} */ number) => thread(data, number, null)), root]]);
    while (todo.length) {
      const [sources, into] = /** @type {[Frame[], Frame]} */ (todo.pop());
      const groups = /** @type {Map<string, Frame[]>} */ (new Map());
      for (const child of sources.flatMap((source) => source.children)) {
        const key = `${child.name}\n${child.place}`;
        groups.set(key, [...(groups.get(key) ?? []), child]);
      }
      for (const same of groups.values()) {
        const sum = (/** @type {"calls" | "total" | "own"} */ field) => same.reduce((all, one) => all + one[field], 0);
        const { name, place, kind } = same[0];
        todo.push([same, frame({ name, place, kind, calls: sum("calls"), total: sum("total"), own: sum("own") }, into)]);
      }
      into.children.sort((a, b) => b.total - a.total);
    }
    root.total = root.children.reduce((all, child) => all + child.total, 0);
    return root;
  }

  return {
    /** @param {any} data @param {string} choice @returns {Frame} */
    tree(data, choice) {
      if (choice === "beside") return data.trees.length === 1 ? thread(data, 0, null) : beside(data);
      return choice === "merged" ? merged(data) : thread(data, Number(choice), null);
    },
    /** Every frame below one and itself. @param {Frame} from @returns {Frame[]} */
    all(from) {
      const found = [from];
      for (let index = 0; index < found.length; index++) found.push(...found[index].children);
      return found;
    },
    /** The callers of a frame, outermost first. @param {Frame} of @returns {Frame[]} */
    callers(of) {
      const found = [];
      for (let one = of.parent; one; one = one.parent) found.unshift(one);
      return found;
    },
  };
})();
