using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;
using MLNetExtension.Tests.Models.Llama;

namespace MLNetExtension.Tests.Models;

/// <summary>What is known of a network without creating it is what it has once created: else a whole model would be refused.</summary>
[TestClass]
public sealed class ParameterListTests
{
    public static IEnumerable<object[]> Gpt2Models =>
    [
        ["plain", new Gpt2Configuration(11, 8, 2, 2, 8)],
        ["untied, with an inner width", new Gpt2Configuration(11, 8, 1, 2, 8, FeedForwardWidth: 12, TiedHead: false)],
        ["experts", new Gpt2Configuration(11, 8, 2, 2, 8, Experts: 3, ExpertsPerToken: 2)],
    ];

    public static IEnumerable<object[]> Llamas =>
    [
        ["plain", TinyLlama.Configuration with { QueryKeyNorm = false, QueryKeyValueBias = false }],
        ["norms and biases", TinyLlama.Configuration with { AttentionOutputBias = true, FeedForwardBias = true, TiedHead = true }],
        ["experts", TinyLlama.Configuration with { Experts = 4, ExpertsPerToken = 3 }],
        .. TinyLlama.Types.Select(type => new object[] { type, TinyLlama.OfType(type) }),
    ];

    [TestMethod]
    [DynamicData(nameof(Gpt2Models))]
    public void A_gpt2_has_the_listed_parameters(string what, object configuration) =>
        AssertEqual(what, new Gpt2Model((Gpt2Configuration)configuration, 1), Gpt2Parameters.List((Gpt2Configuration)configuration));

    [TestMethod]
    [DynamicData(nameof(Llamas))]
    public void A_llama_has_the_listed_parameters(string what, object configuration) =>
        AssertEqual(what, new LlamaModel((LlamaConfiguration)configuration, 1), LlamaParameters.List((LlamaConfiguration)configuration));

    private static void AssertEqual(string what, CausalLanguageModel model, IEnumerable<(string Name, long[] Shape)> listed)
    {
        using (model)
        {
            IEnumerable<string> expected = model.state_dict().Select(pair => $"{pair.Key} [{string.Join(", ", pair.Value.shape)}]");
            CollectionAssert.AreEquivalent(expected.ToArray(), listed.Select(pair => $"{pair.Name} [{string.Join(", ", pair.Shape)}]").ToArray(), what);
        }
    }
}
