using System.IO.Compression;
using System.Text;
using Microsoft.ML;
using MLNetExtension.Tests.Models.Custom;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization;
using TorchSharp;
using static MLNetExtension.Tests.MLNet.Tiny;
using static MLNetExtension.Tests.MLNet.Trainer.CustomModelTests;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>A saved model with a module of the user's own: its name is what is saved, and a factory of that name makes it again.</summary>
[TestClass]
public sealed class CustomModelArchiveTests
{
    [TestMethod]
    public void A_saved_model_holds_its_name_and_is_loaded_by_the_factory_of_that_name()
    {
        var mlContext = new MLContext(seed: 1);
        using var model = Train(mlContext, Custom());
        using var archive = Save(mlContext, model);
        using (var zip = new ZipArchive(archive, ZipArchiveMode.Read, leaveOpen: true))
        {
            string everything = string.Concat(zip.Entries.Select(entry => Encoding.Latin1.GetString(Read(entry))));
            Assert.Contains("\"name\": \"mine\"", everything);
            Assert.Contains("\"mixing.weight\"", everything);
            Assert.DoesNotContain(nameof(Recurrent), everything, "no type name");
        }

        // Another context, as another process has.
        var other = new MLContext(seed: 2);
        other.CausalLanguageModeling.RegisterModel("mine", Make());
        using var loaded = Load(other, archive);
        CollectionAssert.AreEqual(
            Score(mlContext, model, Rows(mlContext, Texts)).Select(row => row.LossSum).ToArray(), Score(other, loaded, Rows(other, Texts)).Select(row => row.LossSum).ToArray());
        Assert.AreEqual(mlContext.CausalLanguageModeling.CreateTextGenerator(model).Generate("the", Greedy), other.CausalLanguageModeling.CreateTextGenerator(loaded).Generate("the", Greedy));

        using var again = Save(other, loaded);
        using var third = Load(other, again);
        Assert.HasCount(Texts.Length, Score(other, third, Rows(other, Texts)));
    }

    // Seen to fail with: factories kept by name for the whole process.
    [TestMethod]
    public void Without_a_registration_in_its_context_it_is_refused()
    {
        var mlContext = new MLContext(seed: 1);
        using var model = Train(mlContext, Custom());
        using var archive = Save(mlContext, model);
        new MLContext().CausalLanguageModeling.RegisterModel("mine", Make());
        mlContext.CausalLanguageModeling.RegisterModel("another", Make());

        Exception error = Assert.Throws<Exception>(() => Load(mlContext, archive)).GetBaseException();

        Assert.AreEqual("The saved model is the custom model 'mine', which is not registered in this MLContext: call mlContext.CausalLanguageModeling.RegisterModel(\"mine\", factory) before loading it.", error.Message);
    }

    [TestMethod]
    public void A_factory_of_another_module_is_refused_with_the_names_that_differ()
    {
        var mlContext = new MLContext(seed: 1);
        using var model = Train(mlContext, Custom());
        using var archive = Save(mlContext, model);

        Refused(() => new Recurrent(Bytes, width: 8, torch.ScalarType.Float32), "'mixing.weight' is F32 [7, 7], but [8, 8] in the module that the factory registered as 'mine' creates");
        Refused(() => torch.nn.Sequential(("embedding", torch.nn.Embedding(Bytes, 7)), ("top", torch.nn.Linear(7, Bytes))),
            "'mixing.weight' is not in the module", "'top.bias' is not among them");
        Refused(() => new Recurrent(200, dtype: torch.ScalarType.Float32), "The custom model 'mine' has a vocabulary of 200 ids, but its tokenizer needs 257.");

        void Refused(Func<torch.nn.Module<torch.Tensor, torch.Tensor>> factory, params string[] expected)
        {
            mlContext.CausalLanguageModeling.RegisterModel("mine", factory);
            string message = Assert.Throws<Exception>(() => Load(mlContext, archive)).GetBaseException().Message;
            foreach (string text in expected)
                Assert.Contains(text, message);
        }
    }

    [TestMethod]
    public void A_tokenizer_made_of_files_is_saved_and_one_of_the_users_own_class_is_registered()
    {
        using TemporaryFolder folder = new();
        var mlContext = new MLContext(seed: 1);
        ILanguageTokenizer files = TokenizerFolder.Load(PublishedModel.Write(folder["published"]));
        using (var model = Train(mlContext, Custom(tokenizer: files, make: () => new Recurrent(files.VocabularySize, dtype: torch.ScalarType.Float32))))
        {
            mlContext.CausalLanguageModeling.RegisterModel("mine", () => new Recurrent(files.VocabularySize, dtype: torch.ScalarType.Float32));
            AssertSame(model);
        }

        Func<Recurrent> make = () => new Recurrent(dtype: torch.ScalarType.Float32);
        using var letters = Train(mlContext, Custom(tokenizer: new LetterTokenizer(), make: make));
        Assert.AreEqual(Texts[0].Length + 1, Score(mlContext, letters, Rows(mlContext, Texts))[0].TokenCount);
        mlContext.CausalLanguageModeling.RegisterModel("mine", make);
        Assert.Contains("has a tokenizer of a class of your own, which is not registered", Assert.Throws<Exception>(() => AssertSame(letters)).GetBaseException().Message);
        mlContext.CausalLanguageModeling.RegisterModel("mine", make, new LetterTokenizer());
        AssertSame(letters);

        void AssertSame(CausalLanguageModelTransformer model)
        {
            using var archive = Save(mlContext, model);
            using var loaded = Load(mlContext, archive);
            CollectionAssert.AreEqual(
                Score(mlContext, model, Rows(mlContext, Texts)).Select(row => row.LossSum).ToArray(), Score(mlContext, loaded, Rows(mlContext, Texts)).Select(row => row.LossSum).ToArray());
        }
    }

    [TestMethod]
    public void It_has_no_form_of_Hugging_Faces_and_none_of_GGUF()
    {
        using TemporaryFolder folder = new();
        var mlContext = new MLContext(seed: 1);
        using var model = Train(mlContext, Custom());
        Assert.Contains("The custom model 'mine' cannot be saved in Hugging Face's layout", Assert.ThrowsExactly<NotSupportedException>(() => model.SaveAsHuggingFace(folder["published"])).Message);
        Assert.Contains("The custom model 'mine' cannot be saved as GGUF", Assert.ThrowsExactly<NotSupportedException>(() => model.SaveAsGguf(folder["published"])).Message);
        Assert.IsFalse(Directory.Exists(folder["published"]));
    }

    private static byte[] Read(ZipArchiveEntry entry)
    {
        using var stream = entry.Open();
        using var content = new MemoryStream();
        stream.CopyTo(content);
        return content.ToArray();
    }
}
