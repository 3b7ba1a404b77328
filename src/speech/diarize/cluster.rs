//! The two voices of a call, found in all its voice prints. Called by
//! [`super::Diarizer`] and by [`super::timeline`].

use super::embedding::Print;

/// Two voices that are more alike than this are taken for one person. Measured:
/// 0.86 to 0.96 on 28 recordings of one person halved, 0.24 to 0.66 on 14 calls of
/// two; other recordings gave 0.76 for both, so only what lies above is one voice.
pub(super) const ONE_VOICE: f32 = 0.8;

/// Only prints of this much speech alone decide what the voices are; when there
/// are too few of them, the next number counts, and so on.
const GOOD_ALONE_S: [f32; 3] = [1.0, 0.4, 0.0];
const ENOUGH_PRINTS: [usize; 3] = [4, 2, 1];
/// The search for the most unlike pair is quadratic.
const MOST_COMPARED: usize = 600;

/// The prints of the two people.
pub(super) struct Pair {
    pub(super) voices: [Vec<f32>; 2],
}

impl Pair {
    /// Above zero when the print is more like the first voice.
    pub(super) fn side(&self, print: &[f32]) -> f32 {
        dot(print, &self.voices[0]) - dot(print, &self.voices[1])
    }

    /// Cosine between both voices; none when everything went to one of them.
    pub(super) fn likeness(&self) -> Option<f32> {
        let found = self.voices.iter().all(|v| dot(v, v) > 0.0);
        found.then(|| dot(&self.voices[0], &self.voices[1]))
    }
}

/// Finds the two voices that explain the prints best; none without a print.
pub(super) fn two_voices(prints: &[&Print]) -> Option<Pair> {
    let good = GOOD_ALONE_S
        .iter()
        .zip(ENOUGH_PRINTS)
        .find_map(|(alone_s, enough)| {
            let good: Vec<&Print> = prints
                .iter()
                .copied()
                .filter(|p| p.alone_s >= *alone_s)
                .collect();
            (good.len() >= enough).then_some(good)
        })?;
    let points: Vec<Point> = good
        .iter()
        .map(|p| Point {
            at: &p.values,
            weight: p.alone_s + 0.05,
        })
        .collect();
    let mut starts = vec![along_main_axis(&points)];
    starts.extend(by_most_unlike_pair(&points));
    starts
        .into_iter()
        .map(|labels| two_means(&points, labels))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, voices)| Pair { voices })
}

struct Point<'a> {
    at: &'a [f32],
    weight: f32,
}

pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Scales to length 1; leaves zeros alone.
pub(super) fn normalise(v: &mut [f32]) {
    let length = dot(v, v).sqrt();
    if length > 0.0 {
        v.iter_mut().for_each(|x| *x /= length);
    }
}

/// Weighted means of both groups, of length 1. An empty group is all zeros, so
/// that nothing is nearer to it than to the other.
fn means(points: &[Point], second: &[bool]) -> [Vec<f32>; 2] {
    let size = points.first().map_or(0, |p| p.at.len());
    let mut means = [vec![0.0; size], vec![0.0; size]];
    for (point, second) in points.iter().zip(second) {
        let mean = &mut means[usize::from(*second)];
        mean.iter_mut()
            .zip(point.at)
            .for_each(|(m, v)| *m += v * point.weight);
    }
    means.iter_mut().for_each(|m| normalise(m));
    means
}

/// Moves points between the groups until none wants to; gives how well the
/// means explain the points, and the means.
fn two_means(points: &[Point], mut second: Vec<bool>) -> (f32, [Vec<f32>; 2]) {
    let mut voices = means(points, &second);
    for _ in 0..50 {
        let moved: Vec<bool> = points
            .iter()
            .map(|p| dot(p.at, &voices[1]) > dot(p.at, &voices[0]))
            .collect();
        if moved == second {
            break;
        }
        second = moved;
        voices = means(points, &second);
    }
    let fit = points
        .iter()
        .zip(&second)
        .map(|(p, second)| dot(p.at, &voices[usize::from(*second)]) * p.weight)
        .sum();
    (fit, voices)
}

/// Divides by the sign along the direction in which the prints differ most.
fn along_main_axis(points: &[Point]) -> Vec<bool> {
    let size = points.first().map_or(0, |p| p.at.len());
    let total: f32 = points.iter().map(|p| p.weight).sum();
    let mut mean = vec![0.0; size];
    for point in points {
        mean.iter_mut()
            .zip(point.at)
            .for_each(|(m, v)| *m += v * point.weight / total);
    }
    let centred: Vec<Vec<f32>> = points
        .iter()
        .map(|p| p.at.iter().zip(&mean).map(|(v, m)| v - m).collect())
        .collect();
    let mut axis = centred
        .iter()
        .max_by(|a, b| dot(a, a).total_cmp(&dot(b, b)))
        .cloned();
    let axis = axis.get_or_insert_default();
    normalise(axis);
    for _ in 0..60 {
        let mut next = vec![0.0; size];
        for (x, point) in centred.iter().zip(points) {
            let along = dot(x, axis) * point.weight;
            next.iter_mut().zip(x).for_each(|(n, v)| *n += along * v);
        }
        normalise(&mut next);
        *axis = next;
    }
    centred.iter().map(|x| dot(x, axis) > 0.0).collect()
}

/// Divides by which of the two most unlike prints each is nearer to; only prints
/// of much speech are candidates.
fn by_most_unlike_pair(points: &[Point]) -> Option<Vec<bool>> {
    let mut heavy: Vec<&Point> = points.iter().collect();
    heavy.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    heavy.truncate((points.len() / 2 + 1).min(MOST_COMPARED));
    let pairs = heavy
        .iter()
        .enumerate()
        .flat_map(|(i, a)| heavy[i + 1..].iter().map(move |b| (a, b)));
    let (a, b) = pairs.min_by(|x, y| dot(x.0.at, x.1.at).total_cmp(&dot(y.0.at, y.1.at)))?;
    Some(
        points
            .iter()
            .map(|p| dot(p.at, a.at) < dot(p.at, b.at))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(direction: &[f32], alone_s: f32) -> Print {
        let mut values = direction.to_vec();
        normalise(&mut values);
        Print {
            values,
            used_s: alone_s,
            alone_s,
        }
    }

    fn find(prints: &[Print]) -> Option<Pair> {
        two_voices(&prints.iter().collect::<Vec<_>>())
    }

    #[test]
    fn two_directions_are_two_voices() {
        let prints: Vec<Print> = (0..20)
            .map(|i| {
                let noise = (i % 5) as f32 * 0.05;
                let main = if i % 4 == 0 {
                    [1.0, 0.1, noise]
                } else {
                    [0.1, 1.0, noise]
                };
                print(&main, 2.0)
            })
            .collect();
        let pair = find(&prints).expect("voices");
        assert!(pair.likeness().expect("both") < 0.5);
        let first = pair.side(&prints[0].values) > 0.0;
        for (i, p) in prints.iter().enumerate() {
            assert_eq!(pair.side(&p.values) > 0.0, (i % 4 == 0) == first, "{i}");
        }
    }

    #[test]
    fn one_direction_is_one_voice() {
        let prints: Vec<Print> = (0..12)
            .map(|i| print(&[1.0, (i % 3) as f32 * 0.1, (i % 4) as f32 * 0.1], 3.0))
            .collect();
        assert!(find(&prints).expect("voices").likeness().expect("both") > ONE_VOICE);
    }

    #[test]
    fn few_prints_are_enough_and_none_is_nobody() {
        assert!(find(&[]).is_none());
        let single = find(&[print(&[1.0, 0.0], 0.2)]).expect("one");
        assert!(single.side(&[1.0, 0.0]) != 0.0);
        assert_eq!(single.likeness(), None);
    }

    #[test]
    fn short_pieces_do_not_decide() {
        let mut prints: Vec<Print> = (0..6)
            .map(|i| {
                print(
                    if i % 2 == 0 {
                        &[1.0, 0.0, 0.0]
                    } else {
                        &[0.0, 1.0, 0.0]
                    },
                    2.0,
                )
            })
            .collect();
        prints.extend((0..50).map(|_| print(&[0.0, 0.0, 1.0], 0.3)));
        let pair = find(&prints).expect("voices");
        assert!(pair.voices.iter().all(|v| v[2].abs() < 1e-3));
    }
}
