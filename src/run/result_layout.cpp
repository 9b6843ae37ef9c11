// Order and offsets of result columns.
#include "result_layout.hpp"

#include "h5score/base/error.hpp"

#include <algorithm>

namespace h5score::run {
namespace {

bool is_wanted(model::ResultKind kind, const std::vector<std::string>& wanted) {
  return kind == model::ResultKind::status || wanted.empty() ||
         std::find(wanted.begin(), wanted.end(), model::to_string(kind)) != wanted.end();
}

void require_all_given(const std::vector<std::vector<model::ResultColumn>>& models,
                       const std::vector<std::string>& wanted) {
  for (const auto& name : wanted) {
    std::string given;
    bool found = false;
    for (const auto& columns : models) {
      for (const auto& column : columns) {
        const std::string kind = model::to_string(column.kind);
        found = found || kind == name;
        if (given.find(kind) == std::string::npos) given += (given.empty() ? "" : ", ") + kind;
      }
    }
    if (!found)
      throw base::Error(base::ExitCode::usage, "--write " + name + ": no model gives it", "they give " + given,
                        "leave --write out to get all");
  }
}

// Alignment that a slot's first byte needs: strings none, numbers their size.
u64 alignment(const ResultSlot& slot) {
  return slot.type.numeric() ? slot.type.size : 1;
}

}  // namespace

u64 ResultLayout::offset(u64 slot, u64 rows) const {
  u64 bytes = 0;
  for (u64 i = 0; i < slot; ++i) bytes += slots[i].row_bytes();
  return bytes * rows;
}

ResultLayout make_result_layout(const std::vector<std::vector<model::ResultColumn>>& models,
                                const std::vector<std::string>& wanted,
                                const std::vector<PassthroughShape>& passthrough) {
  require_all_given(models, wanted);
  ResultLayout layout;
  for (u64 m = 0; m < models.size(); ++m)
    for (const auto& column : models[m])
      if (is_wanted(column.kind, wanted))
        layout.slots.push_back(
            {.model = m, .kind = column.kind, .type = column.type, .width = column.width, .matrix = column.matrix});
  for (u64 p = 0; p < passthrough.size(); ++p)
    layout.slots.push_back({.passthrough = p,
                            .type = passthrough[p].type,
                            .width = passthrough[p].width,
                            .matrix = passthrough[p].matrix});
  std::stable_sort(layout.slots.begin(), layout.slots.end(),
                   [](const ResultSlot& a, const ResultSlot& b) { return alignment(a) > alignment(b); });
  for (const auto& slot : layout.slots) layout.row_bytes += slot.row_bytes();
  return layout;
}

}  // namespace h5score::run
