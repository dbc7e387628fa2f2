"""Analysis -> traces of plotly figures: thinned series, their places, lines, bands and marks."""
