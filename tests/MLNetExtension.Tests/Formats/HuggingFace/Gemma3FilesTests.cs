using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Tests.Samples;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Formats.HuggingFace;

/// <summary>Gemma 3 as it is published: a text model inside one of images, with sizes that its class knows.</summary>
[TestClass]
internal sealed class Gemma3FilesTests
{
    // The names of both generations of files. Gemma 3's own files leave out what has the default of its class.
    [TestMethod]
    [DataRow("language_model.model.", "")]
    [DataRow("model.language_model.", "model.")]
    public void Of_a_Gemma_3_with_images_the_text_is_read_and_written_alone(string text, string other)
    {
        using var scope = NewDisposeScope();
        using CheckpointCopy copy = new("gemma3");
        using TemporaryFolder folder = new();
        using HuggingFaceModel expected = HuggingFaceModel.Load(copy.Path, ScalarType.BFloat16);
        JsonObject whole = new() { ["model_type"] = "gemma3", ["text_config"] = JsonNode.Parse(File.ReadAllText(copy["config.json"])), ["vision_config"] = new JsonObject { ["hidden_size"] = 8 }, ["image_token_index"] = 18, ["eos_token_id"] = 1 };
        File.WriteAllText(copy["config.json"], whole.ToJsonString());
        Dictionary<string, Tensor> tensors = CheckpointCopy.Tensors(copy.Path).ToDictionary(pair => text + pair.Key["model.".Length..], pair => pair.Value);
        tensors[other + "vision_tower.vision_model.embeddings.position_embedding.weight"] = ones(4, 8);
        tensors[other + "multi_modal_projector.mm_input_projection_weight"] = ones(8, 20);
        copy.Write(tensors);

        using HuggingFaceModel model = HuggingFaceModel.Load(copy.Path, ScalarType.BFloat16);
        model.Save(folder.Path);

        HuggingFaceModelTests.AssertEqual(expected, copy.Path);
        HuggingFaceModelTests.AssertEqual(expected, folder.Path);
        Assert.Contains("\"model_type\": \"gemma3_text\"", File.ReadAllText(Path.Combine(folder.Path, "config.json")));
        Assert.IsFalse(CheckpointCopy.Tensors(folder.Path).Keys.Any(name => name.Contains("vision", StringComparison.Ordinal)));
        tensors["audio_tower.weight"] = ones(4);
        copy.Write(tensors);
        Assert.Contains("'audio_tower.weight', which this model does not have", Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceModel.Load(copy.Path).Dispose()).Message);
    }

    [TestMethod]
    public void Sizes_that_a_Gemma_3_leaves_out_are_those_of_its_class()
    {
        using JsonDocument published = JsonDocument.Parse("""
            {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "boi_token_index": 255999, "eoi_token_index": 256000, "eos_token_id": [1, 106], "image_token_index": 262144, "initializer_range": 0.02,
             "mm_tokens_per_image": 256, "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
             "sliding_window": 1024}, "torch_dtype": "bfloat16", "vision_config": {"hidden_size": 1152}}
            """);
        Dictionary<string, long[]> shapes = HuggingFaceConfiguration.Read(published.RootElement, "config.json").Tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.Shape);
        CollectionAssert.AreEqual(new long[] { 262_208, 2560 }, shapes["embed_tokens.weight"]);
        CollectionAssert.AreEqual(new long[] { 2048, 2560 }, shapes["layers.33.self_attn.q_proj.weight"]);
        CollectionAssert.AreEqual(new long[] { 1024, 2560 }, shapes["layers.33.self_attn.k_proj.weight"]);
        CollectionAssert.AreEqual(new long[] { 256 }, shapes["layers.33.self_attn.q_norm.weight"]);
    }
}
