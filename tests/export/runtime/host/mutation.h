// Damages a network as a broken file, or one that means harm, could be damaged.
#pragma once

#include <string>

#include "network.h"
#include "random.h"

namespace host {

// Each changes one thing and says what, for people.
std::string mutate_tensor(Network& network, Random& random);
std::string mutate_node(Network& network, Random& random);

// Changes a few things, and sometimes makes shapes follow from each other again.
std::string mutate(Network& network, Random& random);

// Changes a tensor as it may look different after its nodes were prepared.
std::string mutate_prepared(Tensor& tensor, Random& random);

// Gives outputs of nodes the shapes that follow from their inputs and options, and constants as many
// values as there are filters, so that a network that was changed is one again.
void repair(Network& network, Random& random);

// Gives a tensor a shape, and as many bytes as that takes.
void reshape(Tensor& tensor, const std::vector<int>& shape);

}  // namespace host
