#include "h5score/model/evaluator.hpp"
