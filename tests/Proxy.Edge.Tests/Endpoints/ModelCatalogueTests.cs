using System.Text;
using System.Text.Json.Nodes;
using Proxy.Edge.Endpoints;

namespace Proxy.Edge.Tests.Endpoints;

public sealed class ModelCatalogueTests
{
    private static readonly JsonObject First = Parse("""{"object":"list","data":[{"id":"b","owned_by":"first"},{"id":"a"}],"models":[{"slug":"a","x":1}]}""");
    private static readonly JsonObject Second = Parse("""{"data":[{"id":"b","owned_by":"second"},{"id":"c"},{"id":7},"text",null,[1]],"models":"none","error":1}""");

    [Fact]
    public void The_first_account_to_name_a_model_describes_it() =>
        Assert.Equal(
            """{"object":"list","data":[{"id":"a"},{"id":"b","owned_by":"first"},{"id":"c"}],"models":[{"slug":"a","x":1}]}""",
            Text(ModelCatalogue.Merge([First, Second], _ => true)));

    [Fact]
    public void Only_models_that_the_key_may_use_stay() =>
        Assert.Equal("""{"object":"list","data":[{"id":"c"}],"models":[]}""", Text(ModelCatalogue.Merge([First, Second], model => model == "c")));

    [Fact]
    public void Without_an_answer_the_lists_are_empty() => Assert.Equal("""{"object":"list","data":[],"models":[]}""", Text(ModelCatalogue.Merge([], _ => true)));

    [Fact]
    public void The_tag_changes_with_the_content_and_with_nothing_else()
    {
        var tag = ModelCatalogue.Merge([First, Second], _ => true).ETag;
        Assert.Equal(tag, ModelCatalogue.Merge([First, Second], _ => true).ETag);
        Assert.NotEqual(tag, ModelCatalogue.Merge([Second, First], _ => true).ETag);
        Assert.Matches("^\"[0-9a-f]{16}\"$", tag);
    }

    private static string Text(Catalogue catalogue) => Encoding.UTF8.GetString(catalogue.Json);

    private static JsonObject Parse(string json) => JsonNode.Parse(json)!.AsObject();
}
