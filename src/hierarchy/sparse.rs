//! Something of some of the numbers, side by side in memory: of a large company that is said at once each is looked up, and all are
//! gone through again and again.

use std::num::NonZeroU32;

use super::table::{Dense, Number, number};

/// Something of some of the numbers.
#[derive(Clone, Debug)]
pub(super) struct Sparse<N, T> {
    /// Each with its number; by number but for those that came later.
    rows: Vec<(N, T)>,
    /// Of each number, where its row stands: at one less.
    places: Dense<N, Option<NonZeroU32>>,
}

impl<N, T> Default for Sparse<N, T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            places: Dense::default(),
        }
    }
}

impl<N: Number, T> Sparse<N, T> {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn get(&self, number: N) -> Option<&T> {
        self.at(self.places.of(number)?).map(|(_, row)| row)
    }

    pub(super) fn get_mut(&mut self, number: N) -> Option<&mut T> {
        let place = self.places.of(number)?;
        let row = self.rows.get_mut(place.get() as usize - 1);
        row.map(|(_, row)| row)
    }

    /// Takes a row in place of the one that there was.
    pub(super) fn insert(&mut self, number: N, row: T) {
        match self.get_mut(number) {
            Some(known) => *known = row,
            None => self.push(number, row),
        }
    }

    /// By number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (N, &T)> {
        let rows = self
            .places
            .iter()
            .filter_map(|(_, place)| self.at(*place.as_ref()?));
        rows.map(|(number, row)| (*number, row))
    }

    /// By number.
    pub(super) fn keys(&self) -> impl Iterator<Item = N> {
        self.iter().map(|(number, _)| number)
    }

    /// In no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().map(|(_, row)| row)
    }

    /// In no order.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.rows.iter_mut().map(|(_, row)| row)
    }

    /// Keeps those of which that is so.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(N, &mut T) -> bool) {
        let rows = std::mem::take(self).rows.into_iter();
        *self = rows
            .filter_map(|(number, mut row)| stays(number, &mut row).then_some((number, row)))
            .collect();
    }

    fn at(&self, place: NonZeroU32) -> Option<&(N, T)> {
        self.rows.get(place.get() as usize - 1)
    }

    fn push(&mut self, number_of_row: N, row: T) {
        self.rows.push((number_of_row, row));
        *self.places.slot(number_of_row) = NonZeroU32::new(number(self.rows.len()));
    }
}

impl<N: Number, T: Default> Sparse<N, T> {
    /// What there is of a number; the default from now on where there was nothing.
    #[expect(
        clippy::indexing_slicing,
        reason = "the place is the last one's, or was noted when there was one"
    )]
    pub(super) fn slot(&mut self, number: N) -> &mut T {
        let at = match self.places.of(number) {
            Some(place) => place.get() as usize - 1,
            None => {
                self.push(number, T::default());
                self.rows.len() - 1
            }
        };
        &mut self.rows[at].1
    }
}

/// Side by side by number, whatever order they come in; of what comes twice the last one counts.
impl<N: Number, T> FromIterator<(N, T)> for Sparse<N, T> {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(rows: I) -> Self {
        let mut rows: Vec<(N, T)> = rows.into_iter().collect();
        if !rows.is_sorted_by(|(number, _), (next, _)| number < next) {
            rows.sort_by_key(|(number, _)| *number);
            rows.dedup_by(|next, kept| {
                let is_twice = next.0 == kept.0;
                if is_twice {
                    std::mem::swap(next, kept);
                }
                is_twice
            });
        }
        let mut places = Dense::with_capacity(rows.len());
        for (place, (number, _)) in (1..).zip(&rows) {
            *places.slot(*number) = NonZeroU32::new(place);
        }
        Self { rows, places }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::hierarchy::table::GroupId;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0_usize..9, 0_u8..5, any::<u8>()), 0..40)) {
            let (mut sparse, mut map) = (Sparse::default(), BTreeMap::new());
            for (number, what, row) in steps {
                let number = GroupId::new(number);
                match what {
                    0 => {
                        sparse.insert(number, row);
                        map.insert(number, row);
                    }
                    1 => {
                        *sparse.slot(number) ^= row;
                        *map.entry(number).or_default() ^= row;
                    }
                    2 => {
                        sparse.retain(|other, kept| other != number && *kept != row);
                        map.retain(|other, kept| *other != number && *kept != row);
                    }
                    3 => {
                        let rows = map.iter().rev().map(|(number, row)| (*number, *row));
                        sparse = rows.clone().chain([(number, row)]).collect();
                        map.insert(number, row);
                    }
                    _ => prop_assert_eq!(sparse.get_mut(number), map.get_mut(&number)),
                }
                prop_assert_eq!(sparse.get(number), map.get(&number));
                prop_assert!(sparse.iter().eq(map.iter().map(|(number, row)| (*number, row))));
                prop_assert!(sparse.keys().eq(map.keys().copied()));
                prop_assert_eq!((sparse.len(), sparse.is_empty()), (map.len(), map.is_empty()));
                let mut values: Vec<u8> = sparse.values_mut().map(|row| *row).collect();
                let mut expected: Vec<u8> = map.values().copied().collect();
                values.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(&values, &expected);
                let mut values: Vec<u8> = sparse.values().copied().collect();
                values.sort_unstable();
                prop_assert_eq!(values, expected);
            }
        }
    }
}
