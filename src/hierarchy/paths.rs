//! A forest whose edges come and go, of which it can be asked at once what is the greatest on the way to a root.
//!
//! A link/cut tree (Sleator and Tarjan, "A data structure for dynamic trees", 1983): each operation takes logarithmic time, over many
//! of them. Without it a cycle that closes again wherever it is broken would be walked along once for each of its groups.

use std::cmp::Ordering;

/// Stands for no node.
const NONE: u32 = u32::MAX;

/// Nodes by number, each with at most one above it, and with a weight.
#[derive(Debug)]
pub(super) struct Paths<W> {
    nodes: Vec<Linked<W>>,
}

/// A node, as it is at first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<W> {
    pub(super) weight: W,
    /// Its place in an order.
    pub(super) order: u32,
    /// Whether who asks looks for it.
    pub(super) is_marked: bool,
    /// The node above it.
    pub(super) above: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Linked<W> {
    /// The next ones in the tree of its path: further up, further down, and the one it hangs from there, or its path does.
    left: u32,
    right: u32,
    up: u32,
    weight: W,
    order: u32,
    is_marked: bool,
    /// Of the part of the path that hangs from here.
    whole: Whole<W>,
}

/// What a path comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole<W> {
    /// The node of the greatest weight.
    pub(super) greatest: u32,
    weight: W,
    /// The least place in the order.
    pub(super) lowest: u32,
    /// The number of nodes.
    pub(super) length: u32,
    /// Whether one of them is marked.
    pub(super) is_marked: bool,
}

impl<W: Ord + Copy> Paths<W> {
    /// Nodes without a cycle.
    pub(super) fn new(nodes: impl Iterator<Item = Node<W>>) -> Self {
        let nodes = nodes.zip(0..).map(|(node, number)| {
            let Node {
                weight,
                order,
                is_marked,
                above,
            } = node;
            Linked {
                left: NONE,
                right: NONE,
                up: above
                    .and_then(|above| u32::try_from(above).ok())
                    .unwrap_or(NONE),
                weight,
                order,
                is_marked,
                whole: Whole {
                    greatest: number,
                    weight,
                    lowest: order,
                    length: 1,
                    is_marked,
                },
            }
        });
        Self {
            nodes: nodes.collect(),
        }
    }

    /// Gives a node another weight.
    pub(super) fn weigh(&mut self, node: u32, weight: W) {
        self.show(node);
        self.node_mut(node).weight = weight;
        self.sum(node);
    }

    /// Puts a root under another node, of another tree.
    pub(super) fn link(&mut self, root: u32, above: u32) {
        self.show(root);
        self.node_mut(root).up = above;
    }

    /// Makes a root of a node.
    pub(super) fn cut(&mut self, node: u32) {
        self.show(node);
        let above = std::mem::replace(&mut self.node_mut(node).left, NONE);
        if above != NONE {
            self.node_mut(above).up = NONE;
        }
        self.sum(node);
    }

    /// The node at the top of the tree that a node is in.
    pub(super) fn root(&mut self, node: u32) -> u32 {
        self.show(node);
        let mut root = node;
        while self.node(root).left != NONE {
            root = self.node(root).left;
        }
        // Else who asks again would go the whole way again.
        self.show(root);
        root
    }

    /// What the path from a node up to its root comes to.
    pub(super) fn path(&mut self, node: u32) -> Whole<W> {
        self.show(node);
        self.node(node).whole
    }

    #[expect(clippy::indexing_slicing, reason = "only numbers of nodes are kept")]
    fn node(&self, number: u32) -> &Linked<W> {
        &self.nodes[number as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "only numbers of nodes are kept")]
    fn node_mut(&mut self, number: u32) -> &mut Linked<W> {
        &mut self.nodes[number as usize]
    }

    /// Makes the path from the root to a node one tree, with the node at its top and nothing below.
    fn show(&mut self, node: u32) {
        let mut below = NONE;
        let mut at = node;
        while at != NONE {
            self.splay(at);
            self.node_mut(at).right = below;
            self.sum(at);
            below = at;
            at = self.node(at).up;
        }
        self.splay(node);
    }

    fn splay(&mut self, node: u32) {
        while let Some(parent) = self.hangs_from(node) {
            if let Some(above) = self.hangs_from(parent) {
                let is_straight =
                    (self.node(parent).left == node) == (self.node(above).left == parent);
                self.rotate(if is_straight { parent } else { node });
            }
            self.rotate(node);
        }
    }

    /// The one of the same path's tree that a node hangs from.
    fn hangs_from(&self, node: u32) -> Option<u32> {
        let up = self.node(node).up;
        if up == NONE {
            return None;
        }
        let Linked { left, right, .. } = self.node(up);
        (*left == node || *right == node).then_some(up)
    }

    /// Swaps a node with the one that it hangs from.
    fn rotate(&mut self, node: u32) {
        let Some(parent) = self.hangs_from(node) else {
            return;
        };
        let above = self.hangs_from(parent);
        let up = self.node(parent).up;
        let is_left = self.node(parent).left == node;
        let inner = match is_left {
            true => std::mem::replace(&mut self.node_mut(node).right, parent),
            false => std::mem::replace(&mut self.node_mut(node).left, parent),
        };
        match is_left {
            true => self.node_mut(parent).left = inner,
            false => self.node_mut(parent).right = inner,
        }
        if inner != NONE {
            self.node_mut(inner).up = parent;
        }
        self.node_mut(parent).up = node;
        self.node_mut(node).up = up;
        if let Some(above) = above {
            match self.node(above).left == parent {
                true => self.node_mut(above).left = node,
                false => self.node_mut(above).right = node,
            }
        }
        self.sum(parent);
        self.sum(node);
    }

    fn sum(&mut self, number: u32) {
        let Linked {
            left,
            right,
            weight,
            order,
            is_marked,
            ..
        } = *self.node(number);
        let mut whole = Whole {
            greatest: number,
            weight,
            lowest: order,
            length: 1,
            is_marked,
        };
        for part in [left, right] {
            if part == NONE {
                continue;
            }
            let part = self.node(part).whole;
            whole.length = whole.length.saturating_add(part.length);
            whole.lowest = whole.lowest.min(part.lowest);
            whole.is_marked |= part.is_marked;
            if part.weight.cmp(&whole.weight) == Ordering::Greater {
                (whole.greatest, whole.weight) = (part.greatest, part.weight);
            }
        }
        self.node_mut(number).whole = whole;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_knows_what_one_would_find_by_walking(
            weights in prop::collection::vec(0_u8..5, 2..12),
            marks in any::<u16>(),
            steps in prop::collection::vec((0_usize..12, 0_usize..12, 0_u8..6), 0..60),
        ) {
            let count = weights.len();
            // No two are the same.
            let mut weights: Vec<(u8, usize)> = weights.into_iter().zip(0..).collect();
            let mut above: Vec<Option<usize>> = (0..count).map(|at| at.checked_sub(3)).collect();
            let orders = (0..count).map(|at| u32::try_from(at * 5 % 12).unwrap());
            let orders: Vec<u32> = orders.collect();
            let marked = |at: usize| marks >> at & 1 == 1;
            let mut paths = Paths::new((0..count).map(|at| Node {
                weight: weights[at],
                order: orders[at],
                is_marked: marked(at),
                above: above[at],
            }));
            for (node, other, what) in steps {
                let (node, other) = (node % count, other % count);
                let path = |from: usize| std::iter::successors(Some(from), |at| above[*at]).collect::<Vec<_>>();
                let number = |node: usize| u32::try_from(node).unwrap();
                match what {
                    0 | 1 => {
                        paths.cut(number(node));
                        above[node] = None;
                    }
                    2 | 3 if above[node].is_none() && path(other).last() != Some(&node) => {
                        paths.link(number(node), number(other));
                        above[node] = Some(other);
                    }
                    4 => {
                        weights[node].0 = weights[node].0.wrapping_add(3) % 7;
                        paths.weigh(number(node), weights[node]);
                    }
                    _ => {}
                }
                for from in 0..count {
                    let path: Vec<usize> = std::iter::successors(Some(from), |at| above[*at]).collect();
                    let greatest = path.iter().copied().max_by_key(|at| weights[*at]).unwrap();
                    let whole = paths.path(number(from));
                    let lowest = path.iter().map(|at| orders[*at]).min().unwrap();
                    let is_marked = path.iter().any(|at| marked(*at));
                    let expected = (number(greatest), lowest, number(path.len()), is_marked);
                    let found = (whole.greatest, whole.lowest, whole.length, whole.is_marked);
                    prop_assert_eq!(found, expected);
                    prop_assert_eq!(paths.root(number(from)), number(*path.last().unwrap()));
                }
            }
        }
    }
}
