'use strict';
(() => {
// Only what is open is drawn, and of many children so many at once.
const CHUNK = 200, HITS = 100, OPEN_AT_FIRST = 40, OPEN_CHANGES = 250;
const $ = id => document.getElementById(id);
const tree = $('tree'), query = $('query'), only = $('only'), hits = $('hits');
const SIGNS = { added: '+', removed: '\u2212', changed: '~', waits: '!', held: '!' };

let data, children, below, changes, marks, held, texts;
let open = new Set(), current = null;

const count = () => data.names.length;
const all = () => [...data.names.keys()];
const parent = at => data.parent[at];
const type = at => data.types[data.type[at]];
const key = at => type(at) + '\0' + data.names[at];
const isMarked = at => marks.has(at) || held.has(at);
const isShown = at => !only.checked || isMarked(at) || changes[at] > 0;
const kids = at => children[at < 0 ? count() : at].filter(isShown);
const many = (n, one) => `${n.toLocaleString('en')} ${one}${n === 1 ? '' : 's'}`;

function element(tag, name, text) {
	const made = document.createElement(tag);
	if (name) made.className = name;
	if (text !== undefined) made.textContent = text;
	return made;
}

function read(given) {
	data = given;
	marks = new Map(data.marks.map(mark => [mark.at, mark]));
	held = new Map(data.held);
	texts = null;
	children = Array.from({ length: count() + 1 }, () => []);
	below = new Uint32Array(count());
	changes = new Uint32Array(count());
	for (let at = 0; at < count(); at++) children[parent(at) < 0 ? count() : parent(at)].push(at);
	for (let at = count() - 1; at >= 0; at--) {
		const above = parent(at), is = marks.get(at)?.is;
		if (above < 0) continue;
		below[above] += below[at] + (is === 'removed' || is === 'waits' ? 0 : 1);
		changes[above] += changes[at] + (isMarked(at) ? 1 : 0);
	}
}

// What stands above.

function head() {
	const { counts } = data;
	document.title = data.title;
	$('title').textContent = data.title;
	const facts = [many(data.groups, 'group')];
	if (data.version) facts.unshift(`Version ${data.version}`);
	if (data.time) facts.push(data.time.replace(/^(.{10})T(.{5}).*Z$/, '$1 $2 UTC'));
	$('facts').textContent = facts.join(' \u00b7 ');
	const legend = $('legend'), waits = $('waits');
	legend.replaceChildren();
	waits.replaceChildren();
	const chip = (name, n, word) => {
		legend.append(element('li', n ? name : name + ' none'));
		legend.lastChild.append(element('b', '', `${SIGNS[name]} ${n.toLocaleString('en')}`), ' ' + word);
	};
	for (const [word, n] of Object.entries(counts ?? {})) chip(word in SIGNS ? word : 'changed', n, word);
	if (held.size) chip('held', held.size, 'held');
	const line = (word, text) => {
		waits.append(element('p'));
		waits.lastChild.append(element('b', '', word + ' '), text);
	};
	if (data.waits) line('Held.', data.waits);
	if (data.approve) line('Approve it with', element('code', '', data.approve));
	else if (data.digest) line('Digest', element('code', '', data.digest));
	waits.hidden = !waits.firstChild;
	$('arrived').hidden = !data.arrived.length;
	$('arrived').lastChild.replaceChildren(...data.arrived.map(text => element('li', '', text)));
	$('filter').hidden = !marks.size && !held.size;
}

// The tree.

function item(at, level, place, size) {
	const made = element('li'), mark = marks.get(at), why = held.get(at);
	const is = mark?.is ?? '', has = kids(at).length > 0, notes = [];
	if (is === 'added' || is === 'removed') notes.push(is);
	if (mark?.was) notes.push(`was ${mark.was}`);
	if (mark?.from) notes.push(`moved from ${mark.from}`);
	if (is === 'waits') notes.push('not in the hierarchy yet');
	made.at = at;
	made.tabIndex = -1;
	made.role = 'treeitem';
	made.ariaLevel = level;
	made.ariaPosInSet = place + 1;
	made.ariaSetSize = size;
	if (has) made.ariaExpanded = 'false';
	made.ariaLabel = [data.names[at], type(at), ...notes, ...(why ?? []).map(text => 'held: ' + text)].join(', ');
	const row = element('div', 'row ' + is);
	row.append(element('span', 'fold'));
	const sign = is || (why ? 'held' : '');
	if (marks.size || held.size) row.append(element('span', 'sign ' + sign, SIGNS[sign]));
	const text = element('div', 'text');
	text.append(element('bdi', 'name', data.names[at]), ' ', element('bdi', 'type', type(at)), ' ', element('bdi', 'note', notes.join(', ')));
	for (const one of why ?? []) text.append(element('div', 'why', 'Held: ' + one));
	row.append(text);
	if (has) {
		const counted = element('span', 'count');
		if (changes[at]) counted.append(element('span', 'inside', many(changes[at], 'change') + ' inside'), ' ');
		if (below[at]) counted.append(below[at].toLocaleString('en'));
		row.append(counted);
	}
	made.append(row);
	if (has && open.has(at)) unfold(made);
	return made;
}

function more(list, up) {
	const left = up ? list.from : list.all.length - list.to;
	if (!left) return [];
	const made = element('li', 'more');
	made.role = 'treeitem';
	made.tabIndex = -1;
	made.ariaLevel = list.level;
	made.up = up;
	made.append(element('div', 'row', `Show ${Math.min(CHUNK, left).toLocaleString('en')} ${up ? 'before' : 'more'} of ${left.toLocaleString('en')}`));
	return [made];
}

const items = (list, from, to) => list.all.slice(from, to).map((at, i) => item(at, list.level, from + i, list.all.length));

function fill(list, all, level, from = 0) {
	Object.assign(list, { all, level, from, to: Math.min(from + CHUNK, all.length) });
	list.replaceChildren(...more(list, true), ...items(list, from, list.to), ...more(list, false));
}

function drawMore(button) {
	const list = button.parentElement, { from, to, all } = list;
	if (button.up) list.from = Math.max(0, from - CHUNK);
	else list.to = Math.min(to + CHUNK, all.length);
	const made = button.up ? items(list, list.from, from) : items(list, to, list.to);
	button.replaceWith(...(button.up ? more(list, true) : []), ...made, ...(button.up ? [] : more(list, false)));
	focus(button.up ? made.at(-1) : made[0]);
}

function unfold(li) {
	open.add(li.at);
	if (li.ariaExpanded !== 'false') return;
	const list = element('ul');
	list.role = 'group';
	fill(list, kids(li.at), Number(li.ariaLevel) + 1);
	li.append(list);
	li.ariaExpanded = 'true';
}

function fold(li) {
	open.delete(li.at);
	if (li.ariaExpanded !== 'true') return;
	if (li !== current && li.contains(current)) focus(li);
	li.lastChild.remove();
	li.ariaExpanded = 'false';
}

function toggle(li) {
	if (li.classList.contains('more')) drawMore(li);
	else if (li.ariaExpanded === 'true') fold(li);
	else unfold(li);
}

function path(at) {
	const above = [];
	for (let up = parent(at); up >= 0; up = parent(up)) above.unshift(up);
	return above;
}

// Opens all that is above a group, and gives its item.
function reveal(at) {
	let list = tree, li = null;
	for (const step of [...path(at), at]) {
		if (li) {
			unfold(li);
			list = li.lastChild;
		}
		const place = list.all.indexOf(step);
		if (place < list.from || place >= list.to) fill(list, list.all, list.level, Math.max(0, place - CHUNK / 2));
		li = [...list.children].find(child => child.at === step);
	}
	return li;
}

function settle(li) {
	if (current) current.tabIndex = -1;
	current = li;
	if (li) li.tabIndex = 0;
}

function focus(li) {
	settle(li);
	li.focus({ preventScroll: true });
	li.firstChild.scrollIntoView({ block: 'nearest' });
}

function draw() {
	const at = current?.at, had = tree.contains(document.activeElement);
	fill(tree, kids(-1), 1);
	settle((at !== undefined && find(at)) || tree.querySelector('[role=treeitem]'));
	if (had && current) focus(current);
	if (!query.value) $('said').textContent = count() ? '' : 'There are no groups.';
}

function openAtFirst() {
	let rows = kids(-1).length;
	// Of what goes or comes as a whole its uppermost group is enough.
	const isPart = is => is === 'added' || is === 'removed';
	const marked = all().filter(at => isMarked(at) && !(isPart(marks.get(at)?.is) && marks.get(parent(at))?.is === marks.get(at).is));
	if (marked.length) {
		for (const at of marked) {
			for (const up of path(at)) {
				if (open.has(up)) continue;
				rows += Math.min(children[up].length, CHUNK);
				if (rows > OPEN_CHANGES) return;
				open.add(up);
			}
		}
		return;
	}
	for (let level = kids(-1); level.length; level = level.flatMap(kids)) {
		rows += level.reduce((sum, at) => sum + children[at].length, 0);
		if (rows > OPEN_AT_FIRST) return;
		level.forEach(at => open.add(at));
	}
}

// Keys, by the pattern of a tree view: www.w3.org/WAI/ARIA/apg/patterns/treeview/

function next(li) {
	const list = li.querySelector(':scope > [role=group]');
	if (list) return list.firstChild;
	while (li && !li.nextElementSibling) li = li.parentElement.closest('[role=treeitem]');
	return li?.nextElementSibling;
}

function last(li) {
	const list = li?.querySelector(':scope > [role=group]');
	return list ? last(list.lastChild) : li;
}

const previous = li => last(li.previousElementSibling) ?? li.parentElement.closest('[role=treeitem]');

function find(at) {
	for (let li = tree.firstChild; li; li = next(li)) if (li.at === at) return li;
}

tree.addEventListener('keydown', event => {
	if (event.altKey || event.ctrlKey || event.metaKey || !current) return;
	const is = current.ariaExpanded;
	let to = null;
	switch (event.key) {
		case 'ArrowDown': to = next(current); break;
		case 'ArrowUp': to = previous(current); break;
		case 'Home': to = tree.firstChild; break;
		case 'End': to = last(tree.lastChild); break;
		case 'ArrowRight':
			if (is === 'false') unfold(current);
			else if (is) to = next(current);
			break;
		case 'ArrowLeft':
			if (is === 'true') fold(current);
			else to = current.parentElement.closest('[role=treeitem]');
			break;
		case 'Enter': case ' ': toggle(current); break;
		default: return;
	}
	event.preventDefault();
	if (to) focus(to);
});

tree.addEventListener('click', event => {
	const li = event.target.closest('[role=treeitem]');
	if (!li || !event.target.closest('.row') || getSelection().toString()) return;
	focus(li);
	toggle(li);
});
tree.addEventListener('focusin', event => settle(event.target.closest('[role=treeitem]')));

// Search.

// A name, with what was searched for in a mark.
function marked(name, text) {
	const made = element('bdi', 'name'), small = name.toLowerCase(), at = small.indexOf(text);
	if (at < 0 || small.length !== name.length) made.append(name);
	else made.append(name.slice(0, at), element('mark', '', name.slice(at, at + text.length)), name.slice(at + text.length));
	return made;
}

function search() {
	const words = query.value.toLowerCase().split(/\s+/).filter(Boolean), wanted = words.join(' ');
	hits.hidden = !wanted;
	tree.hidden = !hits.hidden;
	hits.replaceChildren();
	$('said').textContent = '';
	if (!wanted || !data) return;
	texts ??= data.names.map((name, at) => `${name} ${type(at)}`.toLowerCase());
	const same = [], first = [], others = [];
	texts.forEach((text, at) => {
		if (only.checked && !isMarked(at) || !words.every(word => text.includes(word))) return;
		(data.names[at].toLowerCase() === wanted ? same : text.startsWith(wanted) ? first : others).push(at);
	});
	const found = [...same, ...first, ...others];
	for (const at of found.slice(0, HITS)) {
		const button = element('button'), is = marks.get(at)?.is ?? (held.has(at) ? 'held' : ''), above = path(at).map(up => data.names[up]);
		button.at = at;
		if (is) button.append(element('span', 'sign ' + is, SIGNS[is]), ' ');
		button.append(marked(data.names[at], wanted), ' ', element('bdi', 'type', type(at)), element('bdi', 'path', above.join(' \u203a ') || 'at the top'));
		const li = element('li');
		li.append(button);
		hits.append(li);
	}
	$('said').textContent = (found.length ? many(found.length, 'group') : 'No group') + ' found' + (found.length > HITS ? `, the first ${HITS} are shown` : '');
	performance.mark('found');
}

function choose(at) {
	query.value = '';
	search();
	focus(reveal(at));
	current.firstChild.scrollIntoView({ block: 'center' });
}

let soon;
query.addEventListener('input', () => {
	clearTimeout(soon);
	soon = setTimeout(search, 80);
});
query.addEventListener('keydown', event => {
	if (!['Escape', 'Enter', 'ArrowDown'].includes(event.key)) return;
	event.preventDefault();
	clearTimeout(soon);
	if (event.key === 'Escape') query.value = '';
	search();
	const first = hits.querySelector('button');
	if (event.key === 'Enter' && first) choose(first.at);
	if (event.key === 'ArrowDown') (first ?? current)?.focus();
});
hits.addEventListener('click', event => {
	const button = event.target.closest('button');
	if (button) choose(button.at);
});
only.addEventListener('change', () => {
	if (only.checked) openAtFirst();
	draw();
	search();
});
$('close').addEventListener('click', () => {
	open.clear();
	draw();
});

// Draws what is given; what was open stays open.

function show(given) {
	const kept = new Set(data ? [...open].map(key) : []), was = current && current.at !== undefined ? key(current.at) : null;
	const isFirst = !data;
	read(given);
	open = new Set(all().filter(at => kept.has(key(at))));
	if (current) current.at = was === null ? undefined : all().find(at => key(at) === was);
	head();
	if (isFirst || marks.size || held.size) openAtFirst();
	draw();
	if (query.value) search();
	performance.mark('drawn');
}

let seen = '';
async function look(address) {
	try {
		const answer = await fetch(`${address}?seen=${seen}`);
		if (answer.status === 200) {
			seen = answer.headers.get('etag');
			show(await answer.json());
		}
	} catch {
		seen = '';
		$('said').textContent = 'No answer any more; this is what was there last.';
	}
	setTimeout(look, 1000, address);
}

const given = JSON.parse($('data').textContent);
if (given.live) look(given.live);
else show(given);
})();
