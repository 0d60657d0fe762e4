using MLNetExtension.Formats.HuggingFace;

namespace MLNetExtension.Tests.Formats.HuggingFace;

/// <summary>Numbers in <c>config.json</c> that are numbers and give NaN, or a native error, are refused by file, key, value and range.</summary>
[TestClass]
public sealed class HostileConfigurationTests
{
    private const string Epsilon = "expected from 1E-12 to 1.", Scaling = "expected from 1E-06 to 1000000.", Base = "expected above 1 to 1000000000000000.";

    // Seen to fail with: any number allowed, as it was (the model loads and computes NaN, or another exception escapes).
    [TestMethod]
    [DataRow("llama", "rms_norm_eps", "0", "'rms_norm_eps' is 0, " + Epsilon)]
    [DataRow("llama", "rms_norm_eps", "-1e-5", "'rms_norm_eps' is -1e-5, " + Epsilon)]
    [DataRow("llama", "rms_norm_eps", "1e-40", "'rms_norm_eps' is 1e-40, " + Epsilon)]
    [DataRow("llama", "rms_norm_eps", "5e-324", "'rms_norm_eps' is 5e-324, " + Epsilon)]
    [DataRow("llama", "rms_norm_eps", "1e30", "'rms_norm_eps' is 1e30, " + Epsilon)]
    [DataRow("llama", "rms_norm_eps", "1e999", "'rms_norm_eps' is 1e999, expected a number")]
    [DataRow("gpt2", "layer_norm_epsilon", "0", "'layer_norm_epsilon' is 0, " + Epsilon)]
    [DataRow("gpt2", "layer_norm_epsilon", "-0.1", "'layer_norm_epsilon' is -0.1, " + Epsilon)]
    [DataRow("gpt2", "layer_norm_epsilon", "2", "'layer_norm_epsilon' is 2, " + Epsilon)]
    [DataRow("llama", "rope_theta", "0", "'rope_theta' is 0, " + Base)]
    [DataRow("llama", "rope_theta", "-10000", "'rope_theta' is -10000, " + Base)]
    [DataRow("llama", "rope_theta", "1", "'rope_theta' is 1, " + Base)]
    [DataRow("llama", "rope_theta", "1e300", "'rope_theta' is 1e300, " + Base)]
    [DataRow("llama", "rope_parameters", """{"rope_theta":0}""", "'rope_theta' is 0, " + Base)]
    [DataRow("llama", "rope_scaling", """{"type":"linear","factor":0}""", "'factor' is 0, " + Scaling)]
    [DataRow("llama", "rope_scaling", """{"type":"linear","factor":-2}""", "'factor' is -2, " + Scaling)]
    [DataRow("llama", "rope_scaling", """{"type":"linear","factor":1e-300}""", "'factor' is 1e-300, " + Scaling)]
    [DataRow("llama", "rope_scaling", """{"type":"dynamic","factor":1e300}""", "'factor' is 1e300, " + Scaling)]
    [DataRow("llama", "rope_scaling", """{"type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4,"original_max_position_embeddings":8}""", "'high_freq_factor' is 4, expected above 4 to 1000000.")]
    [DataRow("llama", "rope_scaling", """{"type":"llama3","factor":8,"low_freq_factor":0,"high_freq_factor":4,"original_max_position_embeddings":8}""", "'low_freq_factor' is 0, " + Scaling)]
    [DataRow("llama", "rope_scaling", """{"type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":0}""", "'original_max_position_embeddings' is 0, expected a whole number of at least 1")]
    [DataRow("llama", "rope_scaling", """{"type":"yarn","factor":4,"beta_fast":0}""", "'beta_fast' is 0, " + Scaling)]
    [DataRow("llama", "rope_scaling", """{"type":"yarn","factor":4,"beta_slow":-1}""", "'beta_slow' is -1, " + Scaling)]
    [DataRow("llama", "rope_scaling", """{"type":"yarn","factor":4,"attention_factor":0}""", "'attention_factor' is 0, " + Scaling)]
    [DataRow("llama", "num_attention_heads", "3", "'num_attention_heads' is 3, which does not divide 'hidden_size', 16")]
    [DataRow("llama", "num_attention_heads", "17", "'num_attention_heads' is 17, which does not divide 'hidden_size', 16")]
    [DataRow("llama", "num_key_value_heads", "3", "'num_key_value_heads'")]
    [DataRow("llama", "head_dim", "5", "'head_dim' is 5, expected an even number")]
    [DataRow("llama", "attention_dropout", "1", "'attention_dropout' is 1, expected from 0 to below 1.")]
    [DataRow("llama", "initializer_range", "-1", "'initializer_range' is -1, expected from 0 to 1000.")]
    [DataRow("gpt2", "initializer_range", "1e300", "'initializer_range' is 1e300, expected from 0 to 1000.")]
    [DataRow("gpt2", "attn_pdrop", "-0.1", "'attn_pdrop' is -0.1, expected from 0 to below 1.")]
    [DataRow("mixtral", "num_experts_per_tok", "0", "'num_experts_per_tok' is 0, expected a whole number of at least 1")]
    [DataRow("mixtral", "num_experts_per_tok", "100", "'num_experts_per_tok' is 100, expected at most")]
    [DataRow("gpt2", "n_embd", "2147483647", "'n_embd' is 2147483647, expected at most 536870911")]
    [DataRow("gpt2", "n_embd", "0", "'n_embd' is 0, expected a whole number of at least 1")]
    [DataRow("gpt2", "n_head", "-3", "'n_head' is -3, expected a whole number of at least 1")]
    [DataRow("gpt2", "n_inner", "-1", "'n_inner' is -1, expected a whole number of at least 1")]
    [DataRow("gpt2", "vocab_size", "2147483648", "'vocab_size' is 2147483648, expected a whole number of at least 1")]
    [DataRow("llama", "vocab_size", "1.5", "'vocab_size' is 1.5, expected a whole number of at least 1")]
    [DataRow("llama", "max_position_embeddings", "-1", "'max_position_embeddings' is -1, expected a whole number of at least 1")]
    [DataRow("llama", "eos_token_id", "2147483647", "'eos_token_id' is 2147483647, expected a whole number or a list of them, each from 0 to 2147483646.")]
    [DataRow("llama", "eos_token_id", "[2,-1]", "'eos_token_id' is -1, expected a whole number")]
    [DataRow("llama", "bos_token_id", "-1", "'bos_token_id' is -1, expected a whole number")]
    [DataRow("llama", "bos_token_id", "{}", "'bos_token_id' is {}, expected a whole number")]
    public void A_number_that_gives_no_finite_result_is_refused(string model, string key, string value, string expected)
    {
        using CheckpointCopy copy = new(model);
        copy.Set(key, value);

        InvalidDataException error = Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceModel.Load(copy.Path).Dispose());

        StringAssert.Contains(error.Message, expected);
        StringAssert.Contains(error.Message, "config.json");
    }

    [TestMethod]
    [DataRow("2147483647")]
    [DataRow("-1")]
    [DataRow("\"\\ud800\"")]
    public void An_id_in_generation_config_is_refused_by_that_files_name(string id)
    {
        using CheckpointCopy copy = new("llama");
        File.WriteAllText(copy["generation_config.json"], "{\"eos_token_id\": " + id + "}");
        StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceModel.Load(copy.Path).Dispose()).Message, "generation_config.json");
    }

    // Where there is no tokenizer, the ids of the configuration are fed to the network. Seen to fail with: no check (an index out of range in libtorch, later).
    [TestMethod]
    [DataRow("eos_token_id", "19")]
    [DataRow("eos_token_id", "[2, 2147483646]")]
    [DataRow("bos_token_id", "100")]
    public void An_id_beyond_the_vocabulary_of_a_model_without_tokenizer_is_refused(string key, string id)
    {
        using CheckpointCopy copy = new("llama");
        copy.Set(key, id);
        StringAssert.Contains(Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceModel.ReadDescription(copy.Path).CreateIdsOnly()).Message, "expected ids below the 'vocab_size', 19.");
    }

    // The control: the ends of what published models have.
    [TestMethod]
    [DataRow("llama", "rms_norm_eps", "1e-12")]
    [DataRow("llama", "rope_theta", "1000000000.0")]
    [DataRow("llama", "rope_scaling", """{"type":"linear","factor":0.5}""")]
    [DataRow("gpt2", "layer_norm_epsilon", "1e-3")]
    [DataRow("gpt2", "eos_token_id", "50256")]
    public void What_published_models_have_is_read(string model, string key, string value)
    {
        using CheckpointCopy copy = new(model);
        copy.Set(key, value);
        HuggingFaceModel.Load(copy.Path).Dispose();
    }
}
