// What all charts have in common: columns, colours, the axis of time, and the stretches that need a word.

/** Columns for uPlot, with a break wherever a device was silent for much longer than it usually is. */
export function columns(points) {
  const steps = points.slice(1).map((p, i) => p[0] - points[i][0]).sort((a, b) => a - b);
  const usual = steps.length ? steps[Math.floor(steps.length / 2)] : 0;
  const x = [], low = [], mean = [], high = [];
  points.forEach(([t, lo, m, hi], i) => {
    if (i > 0 && usual > 0 && t - points[i - 1][0] > 6 * usual) {
      x.push((t + points[i - 1][0]) / 2000);
      low.push(null); mean.push(null); high.push(null);
    }
    x.push(t / 1000); low.push(lo); mean.push(m); high.push(hi);
  });
  return [x, low, mean, high];
}

export function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

/** Draws where readings are missing, and where they carry a time that was repaired. */
export function shade(gaps, repaired = []) {
  return (u) => {
    const { ctx, bbox } = u;
    const stretch = (s, tint, alpha) => {
      const from = Math.max(u.valToPos(Date.parse(s.from) / 1000, "x", true), bbox.left);
      const to = Math.min(u.valToPos(Date.parse(s.to) / 1000, "x", true), bbox.left + bbox.width);
      if (to < bbox.left || from > bbox.left + bbox.width) return;
      ctx.fillStyle = tint;
      ctx.globalAlpha = alpha;
      ctx.fillRect(from, bbox.top, Math.max(to - from, 2), bbox.height);
      ctx.globalAlpha = 0.6;
      ctx.fillRect(from, bbox.top, Math.max(to - from, 2), 3);
    };
    ctx.save();
    for (const g of gaps) stretch(g, colour("--bad"), 0.16);
    for (const s of repaired) stretch(s, colour("--warn"), 0.12);
    ctx.restore();
  };
}

/** How an axis looks. */
export function axis() { return { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } }; }

/** The axis of time: 24 hours, as the rest of the page; the date where a day begins. */
export function timeAxis() {
  return { ...axis(), values: [
    [86400, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [3600, "{HH}:{mm}", "\n{D} {MMM}", null, null, null, null, null, 1],
    [60, "{HH}:{mm}", "\n{D} {MMM}", null, null, null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
  ] };
}
