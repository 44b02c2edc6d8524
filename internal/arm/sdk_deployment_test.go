package arm_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armdeployments"
)

// TestSDKDeployments drives Microsoft's typed client of deployments: validate,
// what-if, deploy, read, its operations, the template, cancel and delete.
func TestSDKDeployments(t *testing.T) {
	c := newCloud(t).withGroup()
	s := newSDK(t, c)
	ctx := context.Background()
	factory := clients(s, armdeployments.NewClientFactory)
	client, operations := factory.NewDeploymentsClient(), factory.NewDeploymentOperationsClient()
	var template any
	if err := json.Unmarshal([]byte(hub), &template); err != nil {
		t.Fatal(err)
	}
	properties := armdeployments.DeploymentProperties{
		Mode: to.Ptr(armdeployments.DeploymentModeIncremental), Template: template,
		Parameters: map[string]*armdeployments.DeploymentParameter{"prefix": {Value: "10.1.0.0/16"}},
	}
	given := armdeployments.Deployment{Properties: &properties}

	valid, err := wait(client.BeginValidate(ctx, groupName, "d", given, nil))
	if err != nil || valid.Error != nil || len(valid.Properties.ValidatedResources) != 2 {
		t.Fatalf("validate: %+v, %v", valid.DeploymentValidateResult, err)
	}
	whatIf := armdeployments.DeploymentWhatIf{Properties: &armdeployments.DeploymentWhatIfProperties{Mode: properties.Mode, Template: template, Parameters: properties.Parameters}}
	changes := func() map[armdeployments.ChangeType]int {
		t.Helper()
		r, err := wait(client.BeginWhatIf(ctx, groupName, "d", whatIf, nil))
		if err != nil || r.Properties == nil {
			t.Fatalf("what-if: %+v, %v", r.WhatIfOperationResult, err)
		}
		out := map[armdeployments.ChangeType]int{}
		for _, ch := range r.Properties.Changes {
			out[*ch.ChangeType]++
		}
		return out
	}
	if got := changes(); got[armdeployments.ChangeTypeCreate] != 2 || len(got) != 1 {
		t.Errorf("what-if before: %v", got)
	}
	if found, err := client.CheckExistence(ctx, groupName, "d", nil); err != nil || found.Success {
		t.Errorf("existence before: %v, %v", found.Success, err)
	}

	made, err := wait(client.BeginCreateOrUpdate(ctx, groupName, "d", given, nil))
	if err != nil {
		t.Fatal(err)
	}
	is(t, "state", made.Properties.ProvisioningState, armdeployments.ProvisioningStateSucceeded)
	is(t, "mode", made.Properties.Mode, armdeployments.DeploymentModeIncremental)
	if outputs, _ := made.Properties.Outputs.(map[string]any); str(outputs, "space", "value", 0) != "10.1.0.0/16" {
		t.Errorf("outputs %v", made.Properties.Outputs)
	}
	if n := len(made.Properties.OutputResources); n != 2 {
		t.Errorf("%d resources", n)
	}
	if got := changes(); got[armdeployments.ChangeTypeNoChange] != 2 || len(got) != 1 {
		t.Errorf("what-if after: %v", got)
	}
	if found, err := client.CheckExistence(ctx, groupName, "d", nil); err != nil || !found.Success {
		t.Errorf("existence: %v, %v", found.Success, err)
	}
	steps := 0
	for p := operations.NewListPager(groupName, "d", nil); p.More(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Value {
			steps++
			is(t, "operation's state", o.Properties.ProvisioningState, "Succeeded")
			if one, err := operations.Get(ctx, groupName, "d", *o.OperationID, nil); err != nil || *one.OperationID != *o.OperationID {
				t.Errorf("operation %v: %v", *o.OperationID, err)
			}
		}
	}
	if steps != 3 {
		t.Errorf("%d operations, want two resources and the outputs", steps)
	}
	exported, err := client.ExportTemplate(ctx, groupName, "d", nil)
	if err != nil || exported.Template == nil {
		t.Errorf("export: %v", err)
	}
	hash, err := client.CalculateTemplateHash(ctx, template, nil)
	if err != nil || *hash.TemplateHash != *made.Properties.TemplateHash {
		t.Errorf("hash %v, %v; the deployment's is %s", hash.TemplateHash, err, *made.Properties.TemplateHash)
	}
	listed, err := client.NewListByResourceGroupPager(groupName, nil).NextPage(ctx)
	if err != nil || len(listed.Value) != 1 || *listed.Value[0].Name != "d" {
		t.Errorf("list: %v, %v", listed.Value, err)
	}
	var refused *azcore.ResponseError
	if _, err := client.Cancel(ctx, groupName, "d", nil); !errors.As(err, &refused) || refused.StatusCode != 409 {
		t.Errorf("cancel: %v", err)
	}

	properties.Parameters["prefix"].Value = "not a prefix"
	if _, err := wait(client.BeginCreateOrUpdate(ctx, groupName, "e", given, nil)); !errors.As(err, &refused) || refused.ErrorCode == "" {
		t.Errorf("a prefix that is none: %v", err)
	}
	if _, err := wait(client.BeginDelete(ctx, groupName, "d", nil)); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := client.Get(ctx, groupName, "d", nil); !errors.As(err, &refused) || refused.StatusCode != 404 {
		t.Errorf("get after the deletion: %v", err)
	}
}
