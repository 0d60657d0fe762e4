const page = JSON.parse(document.getElementById('data').textContent);
const container = document.getElementById('charts');
let charts = [];

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue('--' + name);
}

function format(value) {
  if (value == null) return '';
  const size = Math.abs(value);
  if (size <= 1e-17) return '0';  // where a logarithmic axis draws 0
  return size < 1e-3 ? value.toExponential(2).replace('.00e', 'e') : value.toLocaleString('en', { maximumSignificantDigits: size >= 1e4 ? 21 : 5, maximumFractionDigits: 4 });
}

function stepLabel(step, index) {
  if (step == null) return '';
  const seconds = page.seconds?.[index];
  return seconds == null ? String(step) : step + ' (' + Math.floor(seconds / 60) + ':' + String(Math.floor(seconds % 60)).padStart(2, '0') + ')';
}

// Powers of ten, about eight of them.
function powersOfTen(chart) {
  const first = Math.round(Math.log10(chart.minimum)), last = Math.round(Math.log10(chart.maximum)), step = Math.ceil((last - first) / 8);
  const powers = [];
  for (let power = first; power <= last; power += step) powers.push(Number('1e' + power));
  return powers;
}

function markerStyle(line) {
  return line?.dash ? (line.dash[0] < 4 ? 'dotted' : 'dashed') : 'solid';
}

function create(chart) {
  const card = document.createElement('div');
  card.className = chart.isHalf ? 'card chart half' : 'card chart';
  card.tabIndex = 0;
  card.setAttribute('aria-label', chart.title);
  container.append(card);
  const axis = { stroke: () => color('muted'), grid: { stroke: () => color('line'), width: 1 }, ticks: { show: false }, font: '11px system-ui, sans-serif' };
  const plot = new uPlot({
    title: chart.title,
    width: card.clientWidth - 24,
    height: chart.height,
    legend: { markers: { dash: (_, index) => markerStyle(chart.lines[index - 1]) } },
    cursor: { sync: { key: 'steps' }, y: false },
    scales: { x: { time: false }, y: { distr: chart.logarithmic ? 3 : 1, range: [chart.minimum, chart.maximum] } },
    axes: [{ ...axis, size: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6] }, { ...axis, size: 64, values: (_, values) => values.map(format), ...(chart.logarithmic ? { splits: () => powersOfTen(chart), filter: (_, splits) => splits } : {}) }],
    series: [
      { label: 'step', value: (_, step, __, index) => stepLabel(step, index) },
      ...chart.lines.map(line => ({
        label: line.label, stroke: () => color(line.color), width: line.width, alpha: line.opacity, dash: line.dash,
        spanGaps: line.connected,
        points: line.isolated || line.connected ? { show: true, size: line.connected ? 6 : 8, fill: () => color(line.color) } : { show: page.steps.length === 1 },
        value: (_, value) => format(value),
      })),
    ],
  }, [page.steps, ...chart.lines.map(line => line.values)], card);
  card.addEventListener('keydown', event => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    const index = Math.min(page.steps.length - 1, Math.max(0, (plot.cursor.idx ?? page.steps.length) + move));
    charts.forEach(each => each.setCursor({ left: each.valToPos(page.steps[index], 'x'), top: 0 }));
  });
  return plot;
}

function draw() {
  charts.forEach(chart => chart.destroy());
  container.replaceChildren();
  charts = page.charts.map(create);
}

draw();
addEventListener('resize', () => charts.forEach(chart => chart.setSize({ width: chart.root.parentElement.clientWidth - 24, height: chart.height })));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
