"""``streamlit run app.py``: the app of logparse, as ``logparse app`` starts it."""

from logparse.app import main

main()
