// SPDX-License-Identifier: GPL-2.0-only
// In every flame graph: click a frame to zoom, Ctrl-F to search by regular expression.
"use strict";
(() => {
	const svg = document.documentElement;
	const side = Number(svg.dataset.side), character = Number(svg.dataset.character);
	const inner = svg.viewBox.baseVal.width - 2 * side;
	const byId = id => document.getElementById(id);
	const frames = [...document.querySelectorAll(".frame")].map(g => ({
		g, rect: g.querySelector("rect"), text: g.querySelector("text"),
		name: g.dataset.name, x: Number(g.dataset.x), w: Number(g.dataset.w),
		n: Number(g.dataset.n), y: Number(g.querySelector("rect").getAttribute("y")),
	}));
	const whole = frames[0];
	const slack = 0.01;

	function place(frame, x, w) {
		frame.rect.setAttribute("x", x);
		frame.rect.setAttribute("width", w);
		frame.text.setAttribute("x", x + 3);
		const room = Math.floor((w - 6) / character);
		frame.text.textContent = frame.name.length <= room ? frame.name
			: room > 3 ? frame.name.slice(0, room - 2) + ".." : "";
	}

	// What calls `to` stays, at full width; what it calls is stretched; all else goes.
	function zoom(to) {
		const factor = inner / to.w;
		for (const frame of frames) {
			const within = frame.x >= to.x - slack && frame.x + frame.w <= to.x + to.w + slack
				&& frame.y <= to.y;
			const caller = frame.x <= to.x + slack && frame.x + frame.w >= to.x + to.w - slack
				&& frame.y > to.y;
			frame.g.style.display = within || caller ? "" : "none";
			frame.g.classList.toggle("faded", caller);
			if (within)
				place(frame, side + (frame.x - to.x) * factor, frame.w * factor);
			else if (caller)
				place(frame, side, inner);
		}
		byId("reset").setAttribute("visibility", to === whole ? "hidden" : "visible");
	}

	// Samples in frames that match, each once: a match below another one is in it.
	function search(pattern) {
		let matches = null;
		try {
			matches = pattern ? new RegExp(pattern) : null;
		} catch (error) {
			byId("matched").textContent = `not a regular expression: ${pattern}`;
			return;
		}
		const found = [];
		for (const frame of frames) {
			const hit = matches !== null && matches.test(frame.name);
			frame.g.classList.toggle("found", hit);
			if (hit)
				found.push(frame);
		}
		found.sort((a, b) => a.x - b.x || b.w - a.w);
		let sum = 0, end = -1;
		for (const frame of found) {
			if (frame.x + slack < end)
				continue;
			sum += frame.n;
			end = frame.x + frame.w;
		}
		byId("matched").textContent = matches === null ? ""
			: `matched: ${sum} samples, ${(100 * sum / whole.n).toFixed(2)} %`;
		byId("search").textContent = matches === null ? "Search (Ctrl-F)" : "Reset search";
	}

	let searching = false;
	function ask() {
		const pattern = searching ? "" : prompt("Function, a regular expression:", "");
		if (pattern === null)
			return;
		searching = pattern !== "";
		search(pattern);
	}

	for (const frame of frames) {
		frame.g.addEventListener("click", () => zoom(frame));
		frame.g.addEventListener("mouseover", () => {
			byId("details").textContent = frame.g.querySelector("title").textContent;
		});
	}
	byId("reset").addEventListener("click", () => zoom(whole));
	byId("search").addEventListener("click", ask);
	window.addEventListener("keydown", event => {
		if (event.key === "f" && event.ctrlKey) {
			event.preventDefault();
			ask();
		} else if (event.key === "Escape") {
			searching = false;
			search("");
			zoom(whole);
		}
	});
})();
