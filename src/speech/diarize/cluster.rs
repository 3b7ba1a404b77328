//! The voices of a call, found in all its voice prints. Called by
//! [`super::Diarizer`] and by [`super::timeline`].

use super::embedding::Print;

/// Two voices that are more alike than this are taken for one person. Measured:
/// 0.84 to 0.97 on 28 recordings of one person halved, 0.19 to 0.64 on 14 calls of
/// two; other recordings gave 0.76 for both, so only what lies above is one voice.
pub(super) const ONE_VOICE: f32 = 0.8;
/// A third voice is less like each of the others than this: taking a mood for a
/// person does more harm in a call of two than missing a colleague.
const THIRD_VOICE: f32 = 0.6;
/// Each of three voices is heard alone for this many seconds in all.
const THIRD_ALONE_S: f32 = 8.0;

/// Only prints of this much speech alone decide what the voices are; when there
/// are too few of them, the next number counts, and so on.
const GOOD_ALONE_S: [f32; 3] = [1.0, 0.4, 0.0];
const ENOUGH_PRINTS: [usize; 3] = [4, 2, 1];
/// The search for the most unlike pair is quadratic.
const MOST_COMPARED: usize = 600;

/// The prints of the people of a call, two or three.
pub(super) struct People {
    pub(super) voices: Vec<Vec<f32>>,
}

impl People {
    /// How like each of the voices a print is, -1 to 1.
    pub(super) fn likes(&self, print: &[f32]) -> Vec<f32> {
        self.voices.iter().map(|voice| dot(print, voice)).collect()
    }

    /// The greatest cosine between two of the voices; none when everything went to
    /// one of two.
    pub(super) fn likeness(&self) -> Option<f32> {
        let found = self.voices.iter().all(|v| dot(v, v) > 0.0);
        let pairs = self
            .voices
            .iter()
            .enumerate()
            .flat_map(|(i, a)| self.voices[i + 1..].iter().map(move |b| dot(a, b)));
        found.then(|| pairs.fold(-1.0, f32::max))
    }
}

/// Finds the voices that explain the prints best: two, or three where a third is
/// as unlike both as they are unlike each other. None without a print.
pub(super) fn people(prints: &[&Print]) -> Option<People> {
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
    let two = starts
        .into_iter()
        .map(|labels| means_of_groups(&points, labels, 2))
        .max_by(|a, b| a.fit.total_cmp(&b.fit))?;
    let voices = match third(&points, &two) {
        Some(three) => three.voices,
        None => two.voices,
    };
    Some(People { voices })
}

/// Three voices, where one of two groups holds two people.
fn third(points: &[Point], two: &Groups) -> Option<Groups> {
    type Divide = fn(&[Point]) -> Option<Vec<usize>>;
    let ways: [Divide; 2] = [by_most_unlike_pair, |points| Some(along_main_axis(points))];
    (0..2)
        .flat_map(|divided| ways.map(|way| (divided, way)))
        .filter_map(|(divided, way)| {
            let inside: Vec<Point> = points
                .iter()
                .zip(&two.labels)
                .filter(|(_, label)| **label == divided)
                .map(|(point, _)| *point)
                .collect();
            let mut halves = way(&inside)?.into_iter();
            let labels = two
                .labels
                .iter()
                .map(|label| match label {
                    label if *label == divided && halves.next() == Some(1) => 2,
                    label => *label,
                })
                .collect();
            Some(means_of_groups(points, labels, 3))
        })
        .filter(|three| {
            let people = People {
                voices: three.voices.clone(),
            };
            let alone_s = |group| {
                let of_group = points.iter().zip(&three.labels).filter(|p| *p.1 == group);
                of_group.map(|(point, _)| point.weight).sum::<f32>()
            };
            people
                .likeness()
                .is_some_and(|likeness| likeness < THIRD_VOICE)
                && (0..3).all(|group| alone_s(group) >= THIRD_ALONE_S)
        })
        .max_by(|a, b| a.fit.total_cmp(&b.fit))
}

#[derive(Clone, Copy)]
struct Point<'a> {
    at: &'a [f32],
    weight: f32,
}

/// Prints divided among voices.
struct Groups {
    /// How well the voices explain the prints.
    fit: f32,
    /// The group of each print.
    labels: Vec<usize>,
    /// The mean of each group.
    voices: Vec<Vec<f32>>,
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

/// Weighted means of the groups, of length 1. An empty group is all zeros, so
/// that nothing is nearer to it than to another.
fn means(points: &[Point], labels: &[usize], groups: usize) -> Vec<Vec<f32>> {
    let size = points.first().map_or(0, |p| p.at.len());
    let mut means = vec![vec![0.0; size]; groups];
    for (point, label) in points.iter().zip(labels) {
        means[*label]
            .iter_mut()
            .zip(point.at)
            .for_each(|(m, v)| *m += v * point.weight);
    }
    means.iter_mut().for_each(|m| normalise(m));
    means
}

/// Moves points between the groups until none wants to.
fn means_of_groups(points: &[Point], mut labels: Vec<usize>, groups: usize) -> Groups {
    let mut voices = means(points, &labels, groups);
    for _ in 0..50 {
        let moved: Vec<usize> = points
            .iter()
            .map(|p| greatest(voices.iter().map(|voice| dot(p.at, voice))))
            .collect();
        if moved == labels {
            break;
        }
        labels = moved;
        voices = means(points, &labels, groups);
    }
    let fit = points
        .iter()
        .zip(&labels)
        .map(|(p, label)| dot(p.at, &voices[*label]) * p.weight)
        .sum();
    Groups {
        fit,
        labels,
        voices,
    }
}

/// The index of the greatest value, the first of equal ones; 0 of nothing.
pub(super) fn greatest(values: impl Iterator<Item = f32>) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (i, value) in values.enumerate() {
        if value > best.1 {
            best = (i, value);
        }
    }
    best.0
}

/// Divides by the sign along the direction in which the prints differ most.
fn along_main_axis(points: &[Point]) -> Vec<usize> {
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
    centred
        .iter()
        .map(|x| usize::from(dot(x, axis) > 0.0))
        .collect()
}

/// Divides by which of the two most unlike prints each is nearer to; only prints
/// of much speech are candidates.
fn by_most_unlike_pair(points: &[Point]) -> Option<Vec<usize>> {
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
            .map(|p| usize::from(dot(p.at, a.at) < dot(p.at, b.at)))
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

    fn find(prints: &[Print]) -> Option<People> {
        people(&prints.iter().collect::<Vec<_>>())
    }

    fn side(people: &People, print: &[f32]) -> f32 {
        let likes = people.likes(print);
        likes[0] - likes[1]
    }

    #[test]
    fn a_third_direction_is_a_third_voice_when_it_speaks_enough() {
        let turns = |of_third: usize| -> Vec<Print> {
            let axis = |i: usize| [[1.0, 0.1, 0.1], [0.1, 1.0, 0.1], [0.1, 0.1, 1.0]][i];
            let two = (0..20).map(|i| print(&axis(i % 2), 3.0));
            two.chain((0..of_third).map(|_| print(&axis(2), 3.0)))
                .collect()
        };
        assert_eq!(find(&turns(6)).expect("voices").voices.len(), 3);
        assert_eq!(find(&turns(2)).expect("voices").voices.len(), 2);
        assert_eq!(find(&turns(0)).expect("voices").voices.len(), 2);
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
        let first = side(&pair, &prints[0].values) > 0.0;
        for (i, p) in prints.iter().enumerate() {
            assert_eq!(side(&pair, &p.values) > 0.0, (i % 4 == 0) == first, "{i}");
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
        assert!(side(&single, &[1.0, 0.0]) != 0.0);
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
