//! Half-Space Trees (Tan, Ting and Liu, *Fast Anomaly Detection for Streaming Data*, IJCAI 2011): trees of random half-spaces over the working
//! range, masses of the last window as the reference for the next. Written from the paper.

/// As in the paper: 25 trees; windows of 250 points, or of what there is to learn from; a node of less than a tenth of a window is not split further
/// when scored. Ten levels in place of its fifteen: 250 points do not fill more.
const TREES: usize = 25;
const DEPTH: u32 = 10;
const LONGEST_WINDOW: usize = 250;

/// The trees over `N` features.
#[derive(Clone)]
pub(crate) struct HalfSpaceTrees<const N: usize> {
    ranges: [(f32, f32); N],
    trees: Vec<Tree>,
    seen: usize,
    window: usize,
}

/// A perfect tree in an array: the cut of node `n`, whose children are `2n + 1` and `2n + 2`, and masses by node.
#[derive(Clone)]
struct Tree {
    cuts: Vec<(usize, f32)>,
    latest: Vec<u32>,
    reference: Vec<u32>,
}

impl<const N: usize> HalfSpaceTrees<N> {
    /// Trees whose working range is that of `points`.
    pub(crate) fn fitted(points: &[[f32; N]], seed: u64) -> Self {
        let mut ranges = [(f32::MAX, f32::MIN); N];
        for point in points {
            for (range, value) in ranges.iter_mut().zip(point) {
                *range = (range.0.min(*value), range.1.max(*value));
            }
        }
        let mut random = seed;
        let trees = (0..TREES).map(|_| Tree::grown::<N>(&mut random)).collect();
        Self {
            ranges,
            trees,
            seen: 0,
            window: points.len().clamp(1, LONGEST_WINDOW),
        }
    }

    /// The score, higher for less mass; the point is learned.
    pub(crate) fn score_and_learn(&mut self, point: &[f32; N]) -> f64 {
        let scaled: [f32; N] = std::array::from_fn(|at| {
            let (low, high) = self.ranges[at];
            (point[at] - low) / (high - low).max(1e-6)
        });
        let limit = (self.window / 10) as u32;
        let mass: f64 = self.trees.iter_mut().map(|tree| tree.take(&scaled, limit)).sum();
        self.seen += 1;
        if self.seen.is_multiple_of(self.window) {
            for tree in &mut self.trees {
                tree.reference = std::mem::replace(&mut tree.latest, vec![0; tree.cuts.len()]);
            }
        }
        -(mass + 1.0).ln()
    }
}

impl Tree {
    fn grown<const N: usize>(random: &mut u64) -> Self {
        let nodes = (1_usize << (DEPTH + 1)) - 1;
        // A work range of its own around a random centre of each feature, as in the paper.
        let mut ranges = [(0.0, 0.0); N];
        for range in &mut ranges {
            let centre = uniform(random);
            let half = 2.0 * centre.max(1.0 - centre);
            *range = (centre - half, centre + half);
        }
        let mut cuts = vec![(0, 0.0); nodes];
        split::<N>(&mut cuts, 0, 0, &mut ranges, random);
        Self {
            latest: vec![0; nodes],
            reference: vec![0; nodes],
            cuts,
        }
    }

    fn take<const N: usize>(&mut self, point: &[f32; N], limit: u32) -> f64 {
        let (mut node, mut score) = (0, None);
        for depth in 0..=DEPTH {
            self.latest[node] += 1;
            let mass = self.reference[node];
            if score.is_none() && (mass <= limit || depth == DEPTH) {
                score = Some(f64::from(mass) * f64::from(1_u32 << depth));
            }
            if depth < DEPTH {
                let (feature, cut) = self.cuts[node];
                node = 2 * node + if point[feature] < cut { 1 } else { 2 };
            }
        }
        score.unwrap_or(0.0)
    }
}

fn split<const N: usize>(
    cuts: &mut [(usize, f32)],
    node: usize,
    depth: u32,
    ranges: &mut [(f32, f32); N],
    random: &mut u64,
) {
    if depth == DEPTH {
        return;
    }
    let feature = (uniform(random) * N as f32) as usize % N;
    let whole = ranges[feature];
    let middle = (whole.0 + whole.1) / 2.0;
    cuts[node] = (feature, middle);
    ranges[feature] = (whole.0, middle);
    split::<N>(cuts, 2 * node + 1, depth + 1, ranges, random);
    ranges[feature] = (middle, whole.1);
    split::<N>(cuts, 2 * node + 2, depth + 1, ranges, random);
    ranges[feature] = whole;
}

/// SplitMix64, to the unit interval.
fn uniform(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
}
