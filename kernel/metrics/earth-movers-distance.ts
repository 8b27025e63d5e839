import type { Mask } from '../attribution/scorer.ts';

/** Rows and columns of the grid on which heat is moved: the distance is exact on it, and off by at most a cell. */
const SIDE = 12;

/** What is less than this of all heat is not moved: what rounding leaves. */
const NOTHING = 1e-9;

/**
 * Earth mover's distance of two maps: how far the one's heat must be moved to make the other's, on average over the heat, in
 * diagonals of the image; 0 for the same heat, 1 from corner to corner. Each map's heat counts as 1 in all. The distance of two cells is that of
 * their centres.
 *
 * Both are summed up to 12 × 12 cells, where the transport problem is solved exactly: heat that is in the same place already stays
 * (with a metric as the cost some optimal plan leaves it), and the rest takes shortest augmenting paths with Dijkstra's algorithm under
 * potentials (Ahuja, Magnanti and Orlin, Network Flows, section 9.7).
 * @param aspect the image's width by its height
 * @returns null where a map has no heat
 */
export function earthMoversDistance(a: Mask, b: Mask, aspect = 1): number | null {
  const [one, two] = [heatOf(a), heatOf(b)];
  if (one === null || two === null) return null;
  const sources: Heap[] = [];
  const sinks: Heap[] = [];
  for (let cell = 0; cell < SIDE * SIDE; cell++) {
    const excess = one[cell]! - two[cell]!;
    if (excess > NOTHING) sources.push({ cell, amount: excess });
    else if (excess < -NOTHING) sinks.push({ cell, amount: -excess });
  }
  const diagonal = Math.hypot(aspect, 1);
  const cost = sources.map(({ cell: from }) =>
    sinks.map(({ cell: to }) => {
      const dx = ((from % SIDE) - (to % SIDE)) / SIDE;
      const dy = (Math.floor(from / SIDE) - Math.floor(to / SIDE)) / SIDE;
      return Math.hypot(dx * aspect, dy) / diagonal;
    }),
  );
  return Math.min(
    1,
    transportCost(
      sources.map(({ amount }) => amount),
      sinks.map(({ amount }) => amount),
      cost,
    ),
  );
}

interface Heap {
  readonly cell: number;
  readonly amount: number;
}

/** A map's heat on the grid, 1 in all; what is below 0 is no heat. */
function heatOf({ rows, cols, data }: Mask): Float64Array | null {
  const heat = Float64Array.from(data, (value) => Math.max(0, value));
  const total = heat.reduce((sum, value) => sum + value, 0);
  if (!(total > 0)) return null;
  const [down, across] = [sharesOf(rows), sharesOf(cols)];
  const grid = new Float64Array(SIDE * SIDE);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < cols; x++) {
      for (const [row, high] of down[y]!) {
        for (const [col, wide] of across[x]!) {
          grid[row * SIDE + col]! += (heat[y * cols + x]! / total) * high * wide;
        }
      }
    }
  }
  return grid;
}

/** Of each of `count` equal parts of a line, which of the grid's parts it overlaps, and by how much of itself. */
function sharesOf(count: number): readonly (readonly [part: number, share: number])[][] {
  return Array.from({ length: count }, (_, i) => {
    const [start, end] = [(i * SIDE) / count, ((i + 1) * SIDE) / count];
    const parts: [number, number][] = [];
    for (let part = Math.floor(start); part < end - 1e-9; part++) {
      const overlap = Math.min(end, part + 1) - Math.max(start, part);
      if (overlap > 1e-9) parts.push([part, overlap / (end - start)]);
    }
    return parts;
  });
}

/**
 * The least cost of moving all supplies to all demands, whose sums are equal.
 * @param cost of one unit from each supply to each demand, not negative
 */
export function transportCost(
  supplies: readonly number[],
  demands: readonly number[],
  cost: readonly (readonly number[])[],
): number {
  const [m, n] = [supplies.length, demands.length];
  const supply = Float64Array.from(supplies);
  const demand = Float64Array.from(demands);
  const flow = Array.from({ length: m }, () => new Float64Array(n));
  // Nodes: supplies 0 … m − 1, demands m … m + n − 1.
  const potential = new Float64Array(m + n);
  for (;;) {
    const distance = new Float64Array(m + n).fill(Infinity);
    const before = new Int32Array(m + n).fill(-1);
    const settled = new Uint8Array(m + n);
    for (let i = 0; i < m; i++) if (supply[i]! > NOTHING) distance[i] = 0;
    let end = -1;
    for (;;) {
      let node = -1;
      for (let k = 0; k < m + n; k++) {
        if (!settled[k] && distance[k]! < (node < 0 ? Infinity : distance[node]!)) node = k;
      }
      if (node < 0) break;
      settled[node] = 1;
      if (node >= m && demand[node - m]! > NOTHING) {
        end = node;
        break;
      }
      const reach = (next: number, length: number): void => {
        // Reduced costs are not negative but for rounding.
        const far = distance[node]! + Math.max(0, length + potential[node]! - potential[next]!);
        if (far < distance[next]!) {
          distance[next] = far;
          before[next] = node;
        }
      };
      if (node < m) for (let j = 0; j < n; j++) reach(m + j, cost[node]![j]!);
      else for (let i = 0; i < m; i++) if (flow[i]![node - m]! > NOTHING) reach(i, -cost[i]![node - m]!);
    }
    if (end < 0) break;
    for (let k = 0; k < m + n; k++) potential[k]! += Math.min(distance[k]!, distance[end]!);
    let amount = demand[end - m]!;
    let start = end;
    for (let node = end; before[node]! >= 0; node = before[node]!) {
      const from = before[node]!;
      if (from >= m) amount = Math.min(amount, flow[node]![from - m]!);
      start = from;
    }
    amount = Math.min(amount, supply[start]!);
    for (let node = end; before[node]! >= 0; node = before[node]!) {
      const from = before[node]!;
      if (from < m) flow[from]![node - m]! += amount;
      else flow[node]![from - m]! -= amount;
    }
    supply[start]! -= amount;
    demand[end - m]! -= amount;
  }
  return flow.reduce((sum, row, i) => sum + row.reduce((part, moved, j) => part + moved * cost[i]![j]!, 0), 0);
}
