// A group of a native model file, read strictly: whatever the reader did not ask for is an error, because a misspelt or
// newer key that is silently ignored would change the scores.
#pragma once

#include "h5score/h5/io.hpp"
#include "h5score/model/model.hpp"

#include <set>
#include <string>
#include <vector>

namespace h5score::format::native {

/// What all sections of one file share: a hostile file can refer to one dataset a thousand times, so the number of
/// values is bounded in total.
struct Budget {
  base::u64 file_bytes = 0;
  base::u64 values = base::u64{1} << 31;
};

class Section {
 public:
  /// `path`: for messages, "/stages/0"; empty for the root group.
  Section(h5::Handle group, std::string path, Budget& budget);

  [[nodiscard]] bool has_attribute(const std::string& name) const;
  [[nodiscard]] bool has_link(const std::string& name) const;

  std::string text(const std::string& attribute);
  std::string text(const std::string& attribute, const std::string& otherwise);
  double number(const std::string& attribute);
  double number(const std::string& attribute, double otherwise);
  base::i64 integer(const std::string& attribute);
  std::vector<base::i64> integer_list(const std::string& attribute);  ///< of any shape
  bool flag(const std::string& attribute);                            ///< false where it is absent

  std::vector<double> vector(const std::string& name);
  model::Matrix matrix(const std::string& name);
  std::vector<base::i64> integers(const std::string& name);  ///< of any shape, in C order
  std::vector<std::string> strings(const std::string& name);
  model::ClassLabels labels(const std::string& name);

  Section child(const std::string& name);
  /// The groups named 0, 1, ... in order; throws if anything else is in here.
  std::vector<Section> numbered_children();
  /// Throws Error(data) naming the first attribute or link that nobody asked for.
  void finish() const;

 private:
  template <class Read>
  auto attribute(const std::string& name, Read read);
  template <class Read>
  auto dataset(const std::string& name, std::size_t rank, Read read);

  h5::Handle group_;
  std::string path_;
  Budget* budget_;
  std::set<std::string> attributes_, links_;
  std::set<std::string> asked_;  ///< names of links, and of attributes with '@' in front
};

}  // namespace h5score::format::native
