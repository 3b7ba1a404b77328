//! When each token was said: the heads of the decoder that look at the sound of
//! the token they write, and the cheapest monotonic way through what they looked
//! at (openai/whisper, `timing.py`).

use super::decoder::Watch;

/// Neighbouring positions over which a single outlier is ignored.
const MEDIAN: usize = 7;

/// The heads that look at the sound, by the shape of the model (published with
/// the models by OpenAI): decoder layers, width, tokens → (layer, head).
pub(super) fn heads(layers: usize, width: usize, vocabulary: usize) -> Vec<(usize, usize)> {
    let known: &[(usize, usize)] = match (layers, width, vocabulary) {
        (4, 384, 51_865) => &[(2, 2), (3, 0), (3, 2), (3, 3), (3, 4), (3, 5)],
        (6, 512, 51_865) => &[
            (3, 1),
            (4, 2),
            (4, 3),
            (4, 7),
            (5, 1),
            (5, 2),
            (5, 4),
            (5, 6),
        ],
        (12, 768, 51_865) => &[
            (5, 3),
            (5, 9),
            (8, 0),
            (8, 4),
            (8, 7),
            (8, 8),
            (9, 0),
            (9, 7),
            (9, 9),
            (10, 5),
        ],
        (24, 1024, 51_865) => &[(13, 15), (15, 4), (15, 15), (16, 1), (20, 0), (23, 4)],
        (32, 1280, 51_866) => &[
            (7, 0),
            (10, 17),
            (12, 18),
            (13, 12),
            (16, 1),
            (17, 14),
            (19, 11),
            (21, 4),
            (24, 1),
            (25, 6),
        ],
        (4, 1280, 51_866) => &[(2, 4), (2, 11), (3, 3), (3, 6), (3, 11), (3, 14)],
        _ => &[],
    };
    if known.is_empty() {
        // The upper half looks at the sound more than the lower one.
        return (layers / 2..layers)
            .flat_map(|layer| (0..width / 64).map(move |head| (layer, head)))
            .collect();
    }
    known.to_vec()
}

/// First position (20 ms each) of each of the rows `from..to` that `watch` saw,
/// looking at `positions` positions only.
pub(super) fn starts(watch: &Watch, from: usize, to: usize, positions: usize) -> Vec<usize> {
    let rows = to - from;
    let mut cost = vec![0.0_f32; rows * positions];
    for head in &watch.seen {
        let mut seen: Vec<Vec<f32>> = head[from..to]
            .iter()
            .map(|row| row[..positions].to_vec())
            .collect();
        for at in 0..positions {
            let mean = seen.iter().map(|row| row[at]).sum::<f32>() / rows as f32;
            let variance =
                seen.iter().map(|row| (row[at] - mean).powi(2)).sum::<f32>() / rows as f32;
            let scale = 1.0 / variance.sqrt().max(1e-9);
            for row in &mut seen {
                row[at] = (row[at] - mean) * scale;
            }
        }
        for (row, cost) in seen.iter().zip(cost.chunks_exact_mut(positions)) {
            for (at, cost) in cost.iter_mut().enumerate() {
                *cost -= median(row, at);
            }
        }
    }
    way(&cost, rows, positions)
}

fn median(row: &[f32], at: usize) -> f32 {
    let half = MEDIAN / 2;
    let last = row.len() as isize - 1;
    let mut near = [0.0; MEDIAN];
    for (i, near) in near.iter_mut().enumerate() {
        let mut index = (at as isize + i as isize - half as isize).abs();
        if index > last {
            index = (2 * last - index).max(0);
        }
        *near = row[index as usize];
    }
    near.sort_by(f32::total_cmp);
    near[half]
}

/// Dynamic time warping: the column at which each row begins.
fn way(cost: &[f32], rows: usize, columns: usize) -> Vec<usize> {
    #[derive(Clone, Copy)]
    enum Step {
        Both,
        Row,
        Column,
    }
    let wide = columns + 1;
    let mut sum = vec![f32::INFINITY; (rows + 1) * wide];
    let mut steps = vec![Step::Column; (rows + 1) * wide];
    sum[0] = 0.0;
    for row in 1..=rows {
        for column in 1..=columns {
            let both = sum[(row - 1) * wide + column - 1];
            let up = sum[(row - 1) * wide + column];
            let left = sum[row * wide + column - 1];
            let (least, step) = if both < up && both < left {
                (both, Step::Both)
            } else if up < both && up < left {
                (up, Step::Row)
            } else {
                (left, Step::Column)
            };
            sum[row * wide + column] = cost[(row - 1) * columns + column - 1] + least;
            steps[row * wide + column] = step;
        }
    }
    let mut starts = vec![0; rows];
    let (mut row, mut column) = (rows, columns);
    while row > 0 && column > 0 {
        starts[row - 1] = column - 1;
        match steps[row * wide + column] {
            Step::Both => {
                row -= 1;
                column -= 1;
            }
            Step::Row => row -= 1,
            Step::Column => column -= 1,
        }
    }
    starts
}
