//! How far people and the machine agree on an item.

use super::score::Verdict;

/// Fewer pairs than this say nothing about an item.
pub const MIN_SAMPLE: u64 = 10;

/// The verdicts that both can give, in the order of the counts.
pub const CATEGORIES: [Verdict; 3] = [Verdict::Met, Verdict::Failed, Verdict::NotApplicable];

/// Why there is no kappa.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoKappa {
    /// Fewer than [`MIN_SAMPLE`] pairs.
    TooFew,
    /// One of the two always gave the same verdict: what they share by chance cannot be told
    /// from what they share because they agree.
    OneCategory,
}

/// How often the machine said one thing and a person another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Confusion {
    /// `counts[machine][person]`, both in the order of [`CATEGORIES`].
    pub counts: [[u64; 3]; 3],
    /// Items of which the machine could not prove what it said, so that it gave no verdict
    /// ([`Verdict::Unconfirmed`]). They are in no other number.
    pub undecided: u64,
}

fn index(verdict: Verdict) -> Option<usize> {
    CATEGORIES.iter().position(|known| *known == verdict)
}

impl Confusion {
    /// Adds an item that both judged.
    pub fn add(&mut self, machine: Verdict, person: Verdict) {
        match (index(machine), index(person)) {
            (Some(machine), Some(person)) => self.counts[machine][person] += 1,
            (None, Some(_)) => self.undecided += 1,
            (_, None) => {}
        }
    }

    /// Adds what another counted.
    pub fn plus(&mut self, other: &Confusion) {
        for (row, more) in self.counts.iter_mut().zip(other.counts) {
            for (count, more) in row.iter_mut().zip(more) {
                *count += more;
            }
        }
        self.undecided += other.undecided;
    }

    /// Pairs of verdicts.
    pub fn n(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Pairs of the same verdict.
    pub fn agreed(&self) -> u64 {
        (0..CATEGORIES.len()).map(|i| self.counts[i][i]).sum()
    }

    /// Share of the pairs that agree, 0–1; `None` without any.
    pub fn share(&self) -> Option<f64> {
        (self.n() > 0).then(|| self.agreed() as f64 / self.n() as f64)
    }

    /// Cohen's kappa: κ = (pₒ − pₑ) / (1 − pₑ), where pₒ is the share of pairs that agree and
    /// pₑ = Σ pₖ,machine · pₖ,person the share that would agree by chance. 1 is full agreement,
    /// 0 what chance gives, below 0 less than that.
    ///
    /// J. Cohen, “A coefficient of agreement for nominal scales”, Educational and Psychological
    /// Measurement 20 (1960), 37–46.
    ///
    /// # Errors
    /// Where it is not defined or says nothing.
    pub fn kappa(&self) -> Result<f64, NoKappa> {
        let n = self.n();
        if n < MIN_SAMPLE {
            return Err(NoKappa::TooFew);
        }
        let machine = self.counts.map(|row| row.iter().sum::<u64>());
        let person = [0, 1, 2].map(|k| self.counts.iter().map(|row| row[k]).sum::<u64>());
        if machine.contains(&n) || person.contains(&n) {
            return Err(NoKappa::OneCategory);
        }
        let n = n as f64;
        let observed = self.agreed() as f64 / n;
        let pairs = machine.iter().zip(person);
        let chance: f64 = pairs.map(|(m, p)| *m as f64 * p as f64).sum::<f64>() / (n * n);
        Ok((observed - chance) / (1.0 - chance))
    }

    /// Where the item stands in a list that begins with the worst: kappa; where it is not defined
    /// but there are enough pairs, 2pₒ − 1, which is kappa as if all verdicts were equally
    /// frequent (Byrt, Bishop, Carlin 1993); last what has too few pairs.
    pub fn rank(&self) -> f64 {
        match self.kappa() {
            Ok(kappa) => kappa,
            Err(NoKappa::OneCategory) => 2.0 * self.share().unwrap_or(1.0) - 1.0,
            Err(NoKappa::TooFew) => 2.0 + self.share().unwrap_or(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(met_met: u64, met_failed: u64, failed_met: u64, failed_failed: u64) -> Confusion {
        Confusion {
            counts: [
                [met_met, met_failed, 0],
                [failed_met, failed_failed, 0],
                [0; 3],
            ],
            undecided: 0,
        }
    }

    fn close(kappa: Result<f64, NoKappa>, expected: f64) {
        let kappa = kappa.expect("defined");
        assert!((kappa - expected).abs() < 1e-9, "{kappa} is not {expected}");
    }

    #[test]
    fn kappa_is_as_computed_by_hand() {
        // pₒ = 35/50, pₑ = (25·30 + 25·20)/2500 = 0.5.
        close(table(20, 5, 10, 15).kappa(), 0.4);
        // The same share of agreement with other margins: pₒ = 0.6,
        // pₑ = (60·70 + 40·30)/10000 = 0.54.
        close(table(45, 15, 25, 15).kappa(), 0.06 / 0.46);
        close(table(10, 0, 0, 10).kappa(), 1.0);
        close(table(0, 10, 10, 0).kappa(), -1.0);
        close(table(5, 5, 5, 5).kappa(), 0.0);
        // Three categories: pₒ = 23/30, pₑ = (10·11 + 12·11 + 8·8)/900.
        let three = Confusion {
            counts: [[8, 1, 1], [2, 9, 1], [1, 1, 6]],
            undecided: 4,
        };
        assert_eq!((three.n(), three.agreed()), (30, 23));
        let chance = (10.0 * 11.0 + 12.0 * 11.0 + 8.0 * 8.0) / 900.0;
        close(three.kappa(), (23.0 / 30.0 - chance) / (1.0 - chance));
    }

    #[test]
    fn kappa_is_not_told_where_it_says_nothing() {
        assert_eq!(table(5, 0, 0, 4).kappa(), Err(NoKappa::TooFew));
        assert_eq!(table(5, 0, 0, 5).kappa(), Ok(1.0));
        assert_eq!(table(50, 0, 0, 0).kappa(), Err(NoKappa::OneCategory));
        assert_eq!(table(40, 10, 0, 0).kappa(), Err(NoKappa::OneCategory));
        assert_eq!(table(40, 0, 10, 0).kappa(), Err(NoKappa::OneCategory));
        assert_eq!(Confusion::default().share(), None);
    }

    #[test]
    fn what_the_machine_did_not_decide_is_counted_apart() {
        let mut sum = Confusion::default();
        sum.add(Verdict::Unconfirmed, Verdict::Met);
        sum.add(Verdict::NotApplicable, Verdict::Failed);
        sum.add(Verdict::Met, Verdict::Met);
        assert_eq!((sum.n(), sum.agreed(), sum.undecided), (2, 1, 1));
        assert_eq!(sum.counts[2][1], 1);
        assert_eq!(sum.share(), Some(0.5));
        sum.plus(&sum.clone());
        assert_eq!((sum.n(), sum.undecided), (4, 2));
    }

    #[test]
    fn the_worst_comes_first() {
        let mut items = [
            ("few", table(0, 3, 0, 0)),
            ("good", table(10, 0, 1, 10)),
            ("always met, mostly wrong", table(5, 15, 0, 0)),
            ("always met, right", table(20, 0, 0, 0)),
            ("chance", table(5, 5, 5, 5)),
        ];
        items.sort_by(|(_, a), (_, b)| a.rank().total_cmp(&b.rank()));
        let names = items.map(|(name, _)| name);
        assert_eq!(
            names,
            [
                "always met, mostly wrong",
                "chance",
                "good",
                "always met, right",
                "few"
            ]
        );
    }
}
