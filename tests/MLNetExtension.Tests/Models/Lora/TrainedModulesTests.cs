using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Models.Lora;

namespace MLNetExtension.Tests.Models.Lora;

/// <summary>Modules that are trained whole beside adapters.</summary>
[TestClass]
public sealed class TrainedModulesTests
{
    [TestMethod]
    [DataRow("GPT-2", "lm_head", "wte")]
    [DataRow("GPT-2", "wte", "wte")]
    [DataRow("GPT-2", "wte,lm_head,wpe", "wte,wpe")]
    [DataRow("GPT-2", "h.0.ln_1", "h.0.ln_1.weight,h.0.ln_1.bias")]
    [DataRow("Llama", "lm_head", "lm_head")]
    [DataRow("Llama", "embed_tokens", "embed_tokens")]
    [DataRow("Llama", "norm", "norm.weight")]
    [DataRow("Llama", "*layernorm", "layers.0.attention_norm.weight,layers.0.feed_forward_norm.weight,layers.1.attention_norm.weight,layers.1.feed_forward_norm.weight,"
        + "layers.2.attention_norm.weight,layers.2.feed_forward_norm.weight")]
    public void They_are_trained_beside_the_adapters_and_a_tied_head_is_its_embedding(string kind, string names, string parameters)
    {
        using CausalLanguageModel model = Adapted.Model(kind);
        HuggingFaceAdapters.Attach(model, new LoraOptions { TrainedModules = names.Split(',') }, seed: 1);
        string[] trained = [.. model.named_parameters().Where(pair => pair.parameter.requires_grad && !pair.name.Contains("lora_")).Select(pair => pair.name)];
        CollectionAssert.AreEquivalent(parameters.Split(','), trained);
    }
}
