"""What figures and completions say: reward hacking, rewards replayed, known failures.

Pure functions over records; facts come from core/data/.
"""
