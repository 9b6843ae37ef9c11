"""What export_sklearn.py is made of: scikit-learn objects become a graph of stages and a head, written as a model file."""
