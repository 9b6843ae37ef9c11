// The head of a network that comes from a file which only knows its layers: what its last columns mean.
#pragma once

#include "h5score/model/model.hpp"

namespace h5score::format {

/// Number of columns that the last stage gives (n_features without stages). Throws Error(data) where stages do not fit.
base::u64 output_columns(const model::Model& model);

/// Makes a network a classifier with these labels. As many columns as labels: after a Softmax multiclass with the
/// columns as probabilities, after a sigmoid (one per class) multilabel with the columns as probabilities, else
/// multiclass with the columns as logits. One column and two labels: after a sigmoid binary with the column as
/// probability of the second label, else binary with the column as logit. Golden predictions of a network without a
/// head become its golden decisions or probabilities. A model that classifies already keeps its head and only gets
/// other labels.
/// Throws Error(data) naming both counts where they do not fit.
void set_classes(model::Model& model, model::ClassLabels labels);

/// Golden predictions of a classifier, a network's last columns, become its golden decisions or probabilities.
void name_golden(model::GoldenRows& golden, const model::Head& head);

/// The head of a network of which nothing else is known: multiclass with labels 0 to k-1 after a Softmax over k >= 2
/// columns, else values.
void default_head(model::Model& model);

}  // namespace h5score::format
